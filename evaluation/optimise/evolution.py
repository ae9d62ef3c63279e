"""evolutionary_optimizer: a population of instructions, whose best are joined and varied by the reflector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.optimise.optimiser import Optimiser
from evaluation.optimise.parameters import Evolutionary
from evaluation.optimise.reflecting import crossover_request, instructions_in, mutation_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def most_children(parameters: Evolutionary) -> int:
    """How many candidates the generations have together."""
    return parameters.population_size - 1 + parameters.num_generations * brood(parameters)


def brood(parameters: Evolutionary) -> int:
    """The children of a generation: of the population, those that are not kept."""
    return max(1, parameters.population_size - parameters.elitism_size)


class Evolution(Optimiser[Evolutionary]):
    """The first generation are variants of the seed prompt; the others come from parents that win a tournament among
    the population: the best so far of all that were tried.
    """

    _generation = 0  # of the children that are planned next
    _partners: tuple[str | None, ...] = ()

    def finished(self) -> bool:
        return self._generation > self.parameters.num_generations

    def plan(self) -> list[str]:
        count = brood(self.parameters) if self._generation else self.parameters.population_size - 1
        self._generation += 1
        population = self._population()
        parents = [self._winner(population) for _ in range(count)]
        self._partners = tuple(
            self._partner(population, parent) if self._happens(self.parameters.crossover_rate) else None
            for parent in parents
        )
        return parents

    def propose(self, current: str, records: Sequence[Mapping[str, str]]) -> str | None:
        partner, *rest = self._partners
        self._partners = tuple(rest)
        child = current
        if partner is not None:
            child = self._first(self.ledger.reflect(crossover_request(current, partner))) or current
        if child == current or not self.trials.is_new(child) or self._happens(self.parameters.mutation_rate):
            child = self._first(self.ledger.reflect(mutation_request(child, records))) or child
        if child != current and partner is not None:
            self.made_of(child, current, partner)
        return child

    def _population(self) -> list[str]:
        return self.trials.ranked()[: self.parameters.population_size]

    def _winner(self, population: list[str]) -> str:
        """Of a tournament: the first in the ranking among those drawn."""
        drawn = min(self.random.randrange(len(population)) for _ in range(self.parameters.tournament_size))
        return population[drawn]

    def _partner(self, population: list[str], parent: str) -> str | None:
        others = [text for text in population if text != parent]
        return self._winner(others) if others else None

    def _happens(self, rate: float) -> bool:
        return self.random.random() < rate

    @staticmethod
    def _first(reply: str) -> str:
        return next(iter(instructions_in(reply)), "")
