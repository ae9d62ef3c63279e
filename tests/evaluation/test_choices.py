"""Multiple choice: by what the server tells of the first token, and by the letter in what the model wrote."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.answers.choice_texts import chosen_text
from evaluation.answers.letters import chosen_letter, read_choice
from evaluation.protocols import PromptStyle

LETTERS = ("A", "B", "C", "D")
_ANSWERS = Path(__file__).parent / "fixtures" / "mmlu_pro_answers.jsonl"
WRITTEN = [
    json.loads(line) for line in _ANSWERS.with_name("choices.jsonl").read_text(encoding="utf-8").splitlines()
]
REAL = [json.loads(line) for line in _ANSWERS.read_text(encoding="utf-8").splitlines()]
CHOSEN = [
    # statements, whatever is said of the others
    (
        """The correct answer is **B. Heart**.\n\n- Option A (Liver) is incorrect because it filters blood.
- Option C (Lung) is incorrect because it exchanges gas.""",
        "B",
    ),
    ("Answer: B\nOption D is incorrect because it ignores the premise.", "B"),
    ("Option A describes the liver, which does not pump.\n\nThe correct option is (B).", "B"),
    ("Let's look at each: A is wrong. B is right. C is wrong.\n\nFinal answer: B", "B"),
    ("The answer is C. Statement A is true, but it is not what is asked for.", "C"),
    ("The answer is C. A is correct in that it filters blood, but it doesn't pump.", "C"),
    ("B is correct because A is not.", "B"),
    ("**B** is the correct answer.", "B"),
    ("So D is our answer.", "D"),
    ("Of these, (C) is the most appropriate choice.", "C"),
    ("A) no\nB) yes\n\nI would go with B.", "B"),
    ("The closest option is (C) 384 lbs.", "C"),
    ("Therefore B.", "B"),
    ("...and therefore, (B)", "B"),
    ("Hence, the correct choice is option C: Lung.", "C"),
    ("Thus option D.", "D"),
    ("I choose (A).", "A"),
    ("The answer should be A, since the liver filters.", "A"),
    ("Correct answer: **(D) Spleen**", "D"),
    ("**Answer: D**", "D"),
    ("**Answer**: D", "D"),
    ("ANSWER: A,", "A"),
    ("### Answer\n\n**C**", "C"),
    ("Answer - B", "B"),
    ("The answer is: B) Heart", "B"),
    ("The answer would be choice C.", "C"),
    ("answer: b", "B"),
    # boxed, and letters in TeX
    ("The final answer is $\\boxed{\\mathrm{B}}$.", "B"),
    ("$$\\boxed{\\text{(C)}}$$", "C"),
    ("\\boxed{B. Heart}", "B"),
    ("\\boxed{\\textbf{D) Spleen}}", "D"),
    ("\\(\\boxed{A}\\)", "A"),
    ("\\fbox{C}", "C"),
    ("$\\boxed{\\mathbf{(b)}}$", "B"),
    ("The mean is \\boxed{\\langle X\\rangle \\ll \\Delta E}.\n\n**Answer: D**", "D"),
    ("The answer is $\\mathrm{B}$", "B"),
    # corrections
    ("Answer: A\nOn second thought that is the liver, so I correct myself.\nAnswer: B", "B"),
    ("Answer: B. Wait, it is C.", "C"),
    ("The answer is A. No, wait: it's B.", "B"),
    ("Answer: A\n\nActually, C is correct.", "C"),
    ("I said the answer is A. Correction: D.", "D"),
    ("Answer: It is not B, the answer is D", "D"),
    ("The answer is A... hmm, that can't be right. It must be C.", "C"),
    # denied, asked, supposed
    ("The answer is not A. B is.\n\nB", "B"),
    ("Is the answer A? No.\nIs the answer D? Yes.\n(D)", "D"),
    ("If the answer is A, the heart filters. So it is B.", "B"),
    ("Neither A nor C is correct.\n\nB) Heart", "B"),
    ("The wrong answer is A.\nB. Heart", "B"),
    ("I don't think the answer is A.\n\n**D**", "D"),
    # at the edges
    ("C. Choice A would be right for adults only; choice D never is.", "C"),
    ("b) Heart", "B"),
    ("(b)", "B"),
    ("b)", "B"),
    ("(b) Heart\n\nThe heart pumps.", "B"),
    ("B\n\nExplanation: A filters, C breathes.", "B"),
    ("Option B", "B"),
    ("B. Heart\n\nA. Liver: it filters.\nC. Lung: it breathes.\nD. Spleen: neither.", "B"),
    ("Choice A is a vitamin; choice B pumps.\n\n(B) Heart", "B"),
    ("`B`", "B"),
    ("<B>", "B"),
    ("[[B]]", "B"),
    ("{B}", "B"),
    ("A. Liver - incorrect\nB. Heart - correct\nC. Lung - incorrect\nD. Spleen - incorrect", "B"),
    ("- A) Liver: wrong, it filters.\n- B) Heart: right, it pumps.\n- C) Lung: wrong.", "B"),
    ("It pumps blood, which points to **B**.", "B"),
    ("Option A is out, it filters. Option B pumps.", "B"),
    ("B is true.", "B"),
    ("Statement C is true. The answer is B.", "B"),
    ("The answer is B. Statement C is true.", "B"),
    # and what was not thought of at first
    ("The correct answer is:\n\n**C) Lung**", "C"),
    ("Answer: **(B)**", "B"),
    ("<answer>B</answer>", "B"),
    ("<answer>\nC\n</answer>", "C"),
    ("The answer is B, not C.", "B"),
    ("It's not A, B or C, so D.", "D"),
    ("The answer: b.", "B"),
    ("A is wrong because it filters. B pumps. So the answer must be B.", "B"),
    ("I think it's B.", "B"),
    ("My answer is C", "C"),
    ("The right answer here would be D) Spleen.", "D"),
    ("Correct option: B", "B"),
    ("**Correct Answer: B. Heart**\n\n**Explanation:**\n- A. Liver: ...\n- C. Lung", "B"),
    ("Option (B) is the correct answer, while options A, C and D are incorrect.", "B"),
    ("✅ **B. Heart**", "B"),
    ("The answer is $\\text{B}$.", "B"),
    ("$B$", "B"),
    ("\\(B\\)", "B"),
    ("\\[\\boxed{\\text{B. Heart}}\\]", "B"),
    ('{"answer": "B"}', "B"),
    ('```json\n{"answer": "C"}\n```', "C"),
    ("```\nB\n```", "B"),
    ("Final Answer: (B) Heart", "B"),
    ("(A) and (C) can be eliminated. Between (B) and (D), (B) pumps.\n\nB", "B"),
    ("Therefore, the answer is option B: Heart.", "B"),
    ("Thus, (C) is correct.", "C"),
    ("The best choice is therefore (D).", "D"),
    ("We conclude that B holds.\nAnswer B", "B"),
    ("A: Liver\nB: Heart\nC: Lung\nD: Spleen\n\nCorrect: B", "B"),
    ("The correct answer is not listed, but the closest is B.", "B"),
    ("Answer:B", "B"),
    ("answer is:**B**", "B"),
    ("So, B!", "B"),
    ("I'd say C.", "C"),
    ("Sure! The answer is **D**: Spleen.", "D"),
    ("The only organ that pumps is the heart (B).", "B"),
    ("The answer is (B) since (A), (C), (D) don't pump.", "B"),
    ("Let me reconsider. The answer is B. Hmm, actually no. The answer is C.", "C"),
    ("Given the choices, A) Liver is not right, so it must be (B) Heart", "B"),
    ("A. Liver is incorrect.\nB. Heart is correct.\nC. Lung is incorrect.\nD. Spleen is incorrect.", "B"),
    ("the answer is a", "A"),
    ("The answer is **a)**", "A"),
    ("Answer: Heart (B)", "B"),
    ("Answer: The heart, option B", "B"),
    ("B or D? B.", "B"),
    ("D. All of the above", "D"),
    ("The answer is D. All of the above are correct.", "D"),
    ("The answer is C: A and B only", "C"),
    ("C. Both A and B", "C"),
    ("The answer is (C) A and B", "C"),
    ("A and B are both correct, so the answer is C.", "C"),
    ("Since both A and B are correct, C is the answer", "C"),
    ("The best answer is option C, because A, B, and D are all incorrect.", "C"),
    ("A is the liver. B is the heart. C is the lung. The heart pumps, therefore B is correct.", "B"),
    ("Let me think. Option A: no. Option B: yes! Option C: no.\n\n**Final Answer: B**", "B"),
    ("Choice (A) is tempting but wrong; choice (C) is right.", "C"),
    ("(C)\nA is tempting but wrong.", "C"),
    ("**Answer:** \\(\\boxed{C}\\)", "C"),
    ("Answer: $\\boxed{\\textbf{C}}$", "C"),
    ("Answer: \\textbf{(C)}", "C"),
    ("I initially thought A, but the answer is actually C.", "C"),
    ("The answer is A. Oh wait, no, that's the liver. It should be B.", "B"),
    ("Answer: A → B", "A"),
    ("Answer: B) because A) is wrong", "B"),
    ("the answer is (c)", "C"),
    ("c. Lung", "C"),
    ("D: Spleen. Although B looks right, D is what is asked.", "D"),
    ("Not A. Not B. Not D. So C.", "C"),
    ("B. Heart. Option A is true of the liver.", "B"),
    ("A is true. But what is asked is the organ that pumps: the answer is B.", "B"),
    ("The statement in option A is true.\n\nAnswer: C", "C"),
    ("Answer: C. It is true that B is correct in children.", "C"),
    ("While D is correct in adults, the correct choice is A.", "A"),
    ("Answer: (A) Liver\n\nWhy not B? Because ...", "A"),
    ("Why B is wrong: ... Why C is right: it pumps.\n\nC", "C"),
    ("It cannot be A. It cannot be C. Therefore it is D.", "D"),
    ("I'm not sure, but I would go with D.", "D"),
    ("Final answer -> C", "C"),
    ("Final Answer is: C", "C"),
    ("option c", "C"),
    ("Answer choice: B", "B"),
    ("\\text{The answer is } \\mathbf{D}", "D"),
    ("The answer is **not A**, it's **C**.", "C"),
    ("Hence option (d) is the answer.", "D"),
    ("Hence, (b).", "B"),
    ("So the final choice is b)", "B"),
    ("The answer is **B** (Heart).\n\nA (Liver) - wrong\nC (Lung) - wrong\nD (Spleen) - wrong", "B"),
]
UNCLEAR = [
    "The answer is (A) and (B).",
    "The answer is A or B.",
    "Option A is incorrect.",
    "Is it B?",
    "Both A and B are true.",
    "Answer: \\boxed{\\Delta E}",
    "It is a heart.",
    "so a) or b)?",
    "Plan B is not an option.",
    "The answer isn't A.",
    "A, B, C and D",
    "Answer:",
    "\\boxed{}",
    "The answer is a femur.",
]
CHAT, COMPLETION = PromptStyle.CHAT, PromptStyle.COMPLETION


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"), (" B", "B"), ("B.", "B"), ("(B)", "B"), ("**B**", "B"), ("**B.** Heart", "B"), ("B) Heart", "B"),
        ("B. Heart", "B"), ("B: Heart", "B"), ("B, because it pumps", "B"), ("A", "A"), ("A.", "A"), ("A: Liver", "A"),
        ("The answer is clearly B", "B"), ("The correct answer is most likely B.", "B"),
        ("My choice is, therefore, B.", "B"),
        ("The answer is (B)", "B"), ("The answer is B) Heart", "B"), ("The correct answer is **B. Heart**.", "B"),
        ("Answer: C", "C"), ("**Answer:** C", "C"), ("Answer:\nC", "C"), ("The correct choice is: (C) Lung", "C"),
        ("The answer is option D", "D"), ("Option B", "B"), ("The best answer is B.", "B"), ("I answer 'C'", "C"),
        ("The answer is: $\\boxed{D}$", "D"), ("\\boxed{\\text{A}}", "A"),
        ("Based on this, D is the best choice.", "D"), ("B is correct because A is not.", "B"),
        ("A bone, I think (C).", "C"), ("It pumps blood.\n\n**B**", "B"), ("It pumps blood.\n\nB. Heart", "B"),
        ("A. Liver\nB. Heart\nC. Kidney\nD. Spleen\n\nThe answer is B.", "B"), ("A. no\nB. yes\nC. no\n\n**B**", "B"),
        ("The answer is not A. The answer is D.", "D"), ("First (A) is wrong. The answer is (B).", "B"),
        *CHOSEN,
    ],
)  # fmt: skip
def test_the_letter_is_found_in_what_models_write(text, letter):
    assert chosen_letter(text, LETTERS) == letter


@pytest.mark.parametrize(
    "text",
    ["", "E", "A femur is a bone.", "Vitamin C is needed", "Vitamin B-12", "The answer is Apple", "C'est la vie",
     "A. Liver\nB. Heart\nC. Kidney\nD. Spleen", "I hesitate between (A) and (B).", "answer: B-cells",
     *UNCLEAR],
)  # fmt: skip
def test_where_it_is_not_clear_there_is_none(text):
    assert chosen_letter(text, LETTERS) is None


def test_the_letter_is_found_as_a_reader_finds_it():
    """Statements, verdicts, lists, tables, tags, other languages and alphabets, and what is no choice at all."""
    read = [case | {"read as": read_with(case["text"], case.get("choices", ()))} for case in WRITTEN]
    assert [case for case in read if case["read as"] != case["letter"]] == []


def read_with(text, choices):
    letters = "ABCDEFGHIJ"[: max(len(choices), len(LETTERS))]
    return chosen_letter(text, letters, choices) or chosen_text(text, choices, letters)


def test_the_texts_of_the_choices_change_no_letter_that_is_found_without():
    texts = ["Liver", "Heart", "Lung", "Spleen"]
    cases = [case for case in WRITTEN if "choices" not in case]
    assert [case for case in cases if chosen_letter(case["text"], LETTERS, texts) != case["letter"]] == []


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Heart", "B"), ("heart.", "B"), ("The heart", "B"), ("**Heart**", "B"), ("The answer is the heart.", "B"),
        ("Answer: Heart", "B"), ("It pumps blood.\n\nHeart", "B"), ("\\boxed{\\text{Heart}}", "B"),
        ("The correct answer is Heart. The liver filters.", "B"), ("Answer: all of the above", "D"),
        ("The heart pumps blood.", None), ("Heart or liver", None), ("Lungs", None), ("", None), ("The", None),
        ("The answer is Liver.\nHeart", None),
    ],
)  # fmt: skip
def test_a_choice_may_be_named_by_its_text_alone(text, letter):
    assert chosen_letter(text, LETTERS) is None
    assert chosen_text(text, ["Liver", "Heart", "Lung", "All of the above"], LETTERS) == letter


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("B", True), ("B. Heart", True), ("The answer is B.", True), ("\\boxed{B}", True), ("So it must be B", True),
        ("Option B pumps, while", False), ("A. Liver: no.\nB. Heart: it", False), ("B is true, but", False),
        ("Let us see (B)", False), ("", False), ("the heart", False),
    ],
)  # fmt: skip
def test_a_letter_that_is_only_mentioned_is_no_end_of_an_answer(text, stated):
    """An answer that was cut there is truncated, and not failed."""
    assert read_choice(text, LETTERS).stated is stated


def test_a_text_that_two_choices_have_names_none():
    assert chosen_text("Heart", ["heart", "Heart", "Lung", "Liver"], LETTERS) is None


@pytest.mark.parametrize("real", REAL, ids=lambda real: f"{real['model']}-{len(real['text'])}")
def test_the_letter_is_found_in_real_answers(real):
    assert chosen_letter(real["text"], "ABCDEFGHIJ") == real["letter"]


@given(st.text(alphabet="AB ()*.\n:answeri\\boxed{}"))
def test_no_text_breaks_the_reading_of_letters(text):
    assert chosen_letter(text, LETTERS) in {None, *LETTERS}


def test_a_model_that_repeats_itself_does_not_hold_the_grader_up():
    started = time.process_time()
    for text in (
        "answer is ",
        "\n",
        "(A) ",
        "answer:\n",
        "**",
        "A. x\n",
        "\\boxed{",
        "A or ",
        "B is ",
        "(",
        "not B but ",
        "that is not ",
        "B | ",
        "答案是",
        "~~A",
        "<a",
        "=\n",
        " ",
        '."',
        "A. Heart ",
        "A. Heart\n",
        "let me look at each ",
        "x?\nA. y\n",
        "answer\n",
    ):
        read_with(text * 3_000, ["Heart", "Lung", "", "A"])
    assert time.process_time() - started < 10  # where the time grows with the square, minutes
