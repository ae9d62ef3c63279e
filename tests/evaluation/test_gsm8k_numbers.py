"""The number of an answer: as it is stated, else the last one, however it is written."""

from __future__ import annotations

import json
import re
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.numbers import FinalNumber, final_number, gold_number
from evaluation.benchmarks.gsm8k.lm_eval_filters import COT, COT_LLAMA, lm_eval_verdicts
from evaluation.benchmarks.gsm8k.task import Gsm8kTask
from evaluation.data.data_set import DataSet
from evaluation.protocols import PromptStyle, Sample
from tests.evaluation.lm_eval_answers import FIXTURE, written_answers

pytestmark = pytest.mark.slow

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("#### 18", "18"),
        ("so it is 18.\n####18", "18"),
        ("The answer is 18.", "18"),
        ("The final answer is 18", "18"),
        ("The final answer is $18.", "18"),
        ("The final answer is: **$1,234.50**", "1234.50"),
        ("The final answer is $\\boxed{1{,}234}$.", "1234"),
        ("\\boxed{\\$18}", "18"),
        ("the answer is -3.", "-3"),
        ("The answer is -$3.", "-3"),
        ("The answer is $-3", "-3"),
        ("The final answer is [18]", "18"),
        ("The answer is 25% of all, that is 100 apples", "25"),
        ("The answer is 12. No: the answer is 13.", "13"),
        ("THE ANSWER IS 7 dollars per 3 weeks", "7"),
        ("#### 18.0", "18"),
        # separators of thousands
        ("The final answer is 70 000", "70000"),
        ("So the profit is\n\n$$\\boxed{70\\,000}$$", "70000"),
        ("The answer is $9{,}500.", "9500"),
        ("\\boxed{1,\\!234}", "1234"),
        ("The answer is 1\\!,234 of 7", "1234"),
        ("The answer is 1\u202f234\u202f567 of 7", "1234567"),
        ("The answer is 1\u00a0234 of 7", "1234"),
        ("The answer is 1\u2009234 of 7", "1234"),
        ("The answer is \\boxed{70~000} of 7", "70000"),
        ("The answer is \\(70\\ 000\\) of 7", "70000"),
        ("The answer is 1'234 in 2 days", "1234"),
        ("So $\\boxed{\\$8,000}$ in 2 years.", "8000"),
        # equations
        ("The answer is 3 * 6 = 18", "18"),
        ("The final answer is 20 - 3 = 17.", "17"),
        ("The final answer is $9 \\times 2 = 18$.", "18"),
        ("The final answer is \\(9 \\cdot 2 = 18\\).", "18"),
        ("The final answer is 3 hours and 30 minutes = 210 minutes.", "210"),
        ("The answer is 18 = 9 * 2", "18"),
        ("x = \\boxed{5}, y = 3", "5"),
        ("The final answer is $x = 18$ on day 2", "18"),
        ("The final answer is $7 \\div 2 \\approx 3.5$ on 2 days", "3.5"),
        # other ways to state it
        ("Answer: 18\n\n(That took 3 steps.)", "18"),
        ("**Answer:** $18 in 2 days", "18"),
        ("**Final Answer**: 18 dollars per 7 days", "18"),
        ("Final answer (in dollars): 18, in 7 days", "18"),
        ("Answer: x = 18. In 2 days", "18"),
        ("The answer to the question is therefore 18, in 3 days", "18"),
        ("The answer is:\n\n$$18$$\n\nin 3 days", "18"),
        ("In 2 steps: \\boxed{\\text{The answer is 460}}", "460"),
        ("#### 18\n\nThat took 3 steps.", "18"),
        ("#### $18 per 7 days", "18"),
        ("#### Answer: 18\n2 steps", "18"),
        ("\\boxed{12\\,\\text{km}} in 2 h", "12"),
        ("\\boxed{\\frac{1}{2}} of 3", "0.5"),
        ("The answer is 3/4 of 8", "0.75"),
        ("The answer is 50\\% of 7", "50"),
        ("The answer is £1,250.50 for 2", "1250.50"),
        ("The answer is −5 degrees on day 2", "-5"),  # noqa: RUF001 - a minus as typographers set it
        ("The answer is approximately 3.5 of 7", "3.5"),
    ],
)
def test_a_stated_number_is_read_as_people_mean_it(text, number):
    assert final_number(text).stated == Decimal(number) == final_number(text).value


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10-5=5", "5"),
        ("10 - 5 = -5", "-5"),
        ("\u22125 degrees", "-5"),
        ("so 2,000 apples", "2000"),
        ("$ 18", "18"),
        ("about .5", "0.5"),
        ("1,2,3", "3"),
        ("**Total:** 4,125.25.", "4125.25"),
        ("The total is 72 clips, altogether.", "72"),
        ("She needs 70\u2009000 bricks", "70000"),
        ("a total of 1 000 000.", "1000000"),
        ("area 18 m^2", "18"),
        ("18 cm2", "18"),
        ("It is 18 %", "18"),
        # headings and steps are no answers
        ("#### 1. Count the eggs\n16 - 7 = 9\n#### 2. Multiply by the price\n9 * 2 = 18 dollars", "18"),
        ("#### Step 1: 3 eggs\nthen 18", "18"),
        ("9*2=18\n## Step 3: check", "18"),
        ("It is 18.\n### Step 4", "18"),
        ("Janet makes $18.\n\n**Step 5**", "18"),
        ("1. Count\n2. The total is 18\n3. Done", "18"),
        # the solution behind a label is no statement
        ("Answer: Janet sells 16 - 7 = 9 eggs.\nShe makes 9 * 2 = $18.", "18"),
        ("Answer: 16 - 7 = 9 eggs a day. Then 9 * 2 = 18.", "18"),
        ("The answer is 3 * 6", "6"),
    ],
)
def test_where_none_is_stated_the_last_one_counts(text, number):
    found = final_number(text)
    assert found.stated is None
    assert found.value == found.last == Decimal(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("So, Janet makes **$18** per day.", "18"),
        ("\\[ \\boxed{18} \\]", "18"),
        ("The answer is \\$18.00", "18"),
        ("Final answer: **18 eggs**", "18"),
        ("= 18", "18"),
        ("The total cost is $1,234,567.89", "1234567.89"),
        ("The answer is 1/2", "0.5"),
        ("The answer is 2 1/2 hours", "2.5"),
        ("Answer: 18.", "18"),
        ("#### $1,200", "1200"),
        ("The answer is: 18 (eighteen)", "18"),
        ("**Answer**\n\n18", "18"),
        ("### Answer: 18\n\nNote: 5 stars", "18"),
        ("He pays 20% of 90 = $18.", "18"),
        ("x = 18", "18"),
        ("The answer is (18)", "18"),
        ("Therefore the answer is 10 + 8, which is 18.", "18"),
        ("Janet will have $18 left, so the final answer is 18.", "18"),
        ("The answer is 18 since 9 \u00d7 2 = 18 and 3 are left", "18"),
        ("\\boxed{18\\%}", "18"),
        ("\\boxed{\\text{18 dollars}}", "18"),
        ("\\boxed{18 \\text{ in } 3 \\text{ days}}", "18"),
        ("$$18$$", "18"),
        ("The answer is $18$.", "18"),
        ("Answer = 18", "18"),
        ("ANSWER: 18\nCONFIDENCE: 95%", "18"),
        ("The final answer is 18\n\nQuestion 2: ...", "18"),
        ("So the answer is **18**.\n\n## Check\n9*2=18, and 7 are eaten", "18"),
        ("The answer is not 20 but 18.", "18"),
        ("#### 18 eggs", "18"),
        ("####  -5", "-5"),
        ("£18", "18"),
        ("18€", "18"),
        ("#### 18. That took 3 steps.", "18"),
        ("The final answer is $70\\text{,}000$.", "70000"),
        ("The final answer is 70\u2009000.", "70000"),
        ("The final answer is 70 000 dollars.", "70000"),
        ("\\boxed{70{\\,}000}", "70000"),
        ("\\boxed{70\\;000}", "70000"),
        ("The final answer is 70,\\,000", "70000"),
        ("The final answer is \\(12 + 6 = 18\\) eggs", "18"),
        ("The final answer is 2 \u00d7 9 = $18", "18"),
        ("The final answer is 1.5 hours = 90 minutes", "90"),
        ("The final answer is 9 * 2 = 18 dollars = 1800 cents", "1800"),
        ("So: 9 \u00d7 2 = 18\n\n### 3. Conclusion", "18"),
        ("## Step 3: Multiply\n9 * 2 = 18", "18"),
        ("**Step 2:** 9 * 2 = 18\n\n**Step 3:** done", "18"),
        ("Step 1: 16-7=9\nStep 2: 9*2=18", "18"),
        ("(1) 16-7=9\n(2) 9*2=18", "18"),
        ("#### Final Answer\n18", "18"),
        ("### Final Answer: $18", "18"),
        ("The answer is 18 = 18", "18"),
        ("$\\boxed{18}$\n\nQ2: 5", "18"),
        ("The answer is 18 eggs/day * 2", "18"),
        ("The answer is 1,000,000", "1000000"),
        ("The answer is -1,000", "-1000"),
        ("#### 70 000", "70000"),
        ("#### 1. 5 eggs\n#### 2. 9 * 2 = 18", "18"),
        ("Answer: 70 000", "70000"),
        ("answer: $70,000.00", "70000"),
        ("\\[\n\\boxed{\n18\n}\n\\]", "18"),
        ("The final answer is: $\\boxed{18 \\text{ dollars}}$", "18"),
        ("\\boxed{9 \\times 2 = 18}", "18"),
        ("The answer is 9 + 9 = 9 * 2 = 18.", "18"),
        ("The answer is: 100 - 82\n= 18", "18"),
        ("Total = 16 - 7 = 9; 9 * 2 = 18", "18"),
        ("The answer is **eighteen (18)**.", "18"),
        ("It costs 18. ", "18"),
        ("She has 18 eggs left.", "18"),
        ("1,200.", "1200"),
        ("The total is 1,200,", "1200"),
        ("The answer is 12 500 000 of 3", "12500000"),
    ],
)
def test_an_answer_is_read_as_people_do(text, number):
    assert final_number(text).value == Decimal(number)


@pytest.mark.parametrize("text", ["", "no idea", "x1", "#### none", "... , . -"])
def test_no_number_is_none(text):
    assert final_number(text) == FinalNumber(None, None)


def test_a_stated_number_counts_more_than_a_later_one():
    """Protects an answer with a remark behind it, which lm-eval's flexible extraction gets wrong."""
    found = final_number("The final answer is 18. (That took 3 steps.)")
    assert (found.stated, found.last, found.value) == (18, 3, 18)


@given(st.integers(-(10**12), 10**12))
def test_every_whole_number_is_read_back(number):
    for text in (f"#### {number}", f"#### {number:,}", f"The answer is {number}.", f"It is {number:,}.00"):
        assert final_number(text).value == number
    assert gold_number(f"reasons\n#### {number:,}") == number


@given(st.text())
def test_no_text_breaks_it(text):
    final_number(text)


REAL = [
    json.loads(line) for line in (FIXTURES / "gsm8k_answers.jsonl").read_text(encoding="utf-8").splitlines()
]


def test_a_solution_without_its_last_line_comes_to_the_same_number():
    """As its author wrote it: the conclusion is read where no number is stated."""
    solutions = [json.loads(line)["answer"] for line in (FIXTURES / "gsm8k.jsonl").read_text().splitlines()]
    for solution in solutions:
        plain = re.sub(r"<<.*?>>", "", solution.rpartition("####")[0])
        assert final_number(plain).value == gold_number(solution), solution


@pytest.mark.parametrize("gold", ["2", "2000000"])
def test_millions_answer_both_how_many_millions_and_how_many(gold):
    task = Gsm8kTask(DataSet((), "0"), style=PromptStyle.CHAT)
    sample = Sample(task_id="t", data={"answer": f"#### {gold}"}, expected=gold)
    judged = task.calculate_metrics("There are 2 million. The final answer is 2 million.", gold, sample)
    assert (judged.passed, judged.completion) == (True, gold)
    assert judged.read_in == "There are 2 million. The final answer is 2 million."


WRITTEN = [json.loads(line) for line in (FIXTURES / "numbers.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_number_is_found_as_a_reader_finds_it():
    """Units, magnitudes, powers, words, tags, tables, and measures such as `in 3 days` that are not the answer.

    Where only the story is told there is none.
    """
    read = [(case, final_number(case["text"]).value) for case in WRITTEN]
    wanted = [None if case["number"] is None else Decimal(case["number"]) for case in WRITTEN]
    assert [found for found, number in zip(read, wanted, strict=True) if found[1] != number] == []


@pytest.mark.parametrize("real", REAL, ids=lambda real: f"{real['model']}-{real['number']}")
def test_real_answers_are_judged_as_their_authors_judge_them(real):
    assert (final_number(real["text"]).value == Decimal(real["expected"])) == real["is_correct"]


@pytest.mark.parametrize(
    ("name", "task"), [("gsm8k_cot", COT), ("gsm8k_cot_zeroshot", COT), ("gsm8k_cot_llama", COT_LLAMA)]
)
@pytest.mark.parametrize("filtered", ["strict-match", "flexible-extract"])
def test_lm_evals_filters_say_what_lm_eval_says(name, task, filtered):
    """Of a thousand written answers; `make test-tools` holds the record to the tool itself."""
    recorded = json.loads(FIXTURE.read_bytes())["verdicts"][name][filtered]
    ours = [lm_eval_verdicts(text, solution, task)[filtered] for text, solution in written_answers()]
    assert "".join(f"{verdict:.0f}" for verdict in ours) == recorded


def test_a_model_that_repeats_itself_for_ever_does_not_hold_the_grader_up():
    started = time.process_time()
    for text in (
        "answer is ",
        "(" * 5,
        "1,",
        "\\boxed{",
        "#### ",
        "-$",
        " \n",
        "answer: 1=",
        "1 000 ",
        "\\,",
        "for 1, ",
        "10^3",
        "½",
        "1 (",
        "<answer>",
        "answer is one ",
        "#### 1. A\n",
        "The answer is 1. Wait, ",
        "Question: 1\n",
        "sold 7 to 8 ",
        "nine times ",
        "1,50,",
        "between 1 and 2, ",
        "1: half of 2 ",
    ):
        final_number(text * 10_000)
    assert time.process_time() - started < 10  # where the time grows with the square, minutes


@pytest.mark.parametrize("answer", ["18", "#### ", "#### 18 apples", "#### none"])
def test_a_gold_answer_without_its_number_is_none(answer):
    assert gold_number(answer) is None
