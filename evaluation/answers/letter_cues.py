"""The words by which an answer says of a letter that it is chosen, or that it is not: in English, and the nouns and
verbs of other languages that models answer in.

Each pattern looks at a bounded stretch of text before or behind a letter, where marks are gone
(`evaluation.answers.letter_text`).
"""
# ruff: noqa: RUF001 - dashes, arrows and letters as models write them

from __future__ import annotations

import re


def _words(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives), re.IGNORECASE)


_LATIN_NOUN = (
    r"answer|ans|choice|option|letter|selection|response|alternative|pick|solution|statement|guess|conclusion|verdict"
    r"|r[ée]ponse|lettre|antwort|buchstabe|l[öo]sung|respuesta|opci[óo]n|letra|risposta|opzione|lettera|resposta"
    r"|op[çc][ãa]o|alternativa|antwoord|cevap|yanıt|seçenek|jawaban|svaret|svar|odpowiedź|odpověď|đáp án|ответ(?:ом)?"
    r"|вариант(?:ом)?|відповідь|отговор(?:ът)?|απάντηση"
)
_NOUN = rf"\b(?:{_LATIN_NOUN})\b\.?"
# No blanks stand between words there.
_HAN_NOUN = (
    r"(?:答案|答え|正解|解答|正确选项|正確選項|选项|選項|選択肢|正确的是"
    r"|正確的是|정답|답|解(?![析释釋説说])|回答)"
)
_BE = (
    r"(?:is|was|be|remains|becomes|(?:must|should|would|will|could|might|may|can\s+only|has\s+to|have\s+to|seems\s+to"
    r"|appears\s+to|needs\s+to|turns\s+out\s+to)\s+be|would\s+have\s+to\s+be|est|serait|ist|lautet|w[äa]re|es|ser[íi]a"
    r"|[èée]|sarebbe|seria|är|er|jest|je|là|будет|является|есть|е)"
)
_SIGN = r"(?::|=|->|→|=>|⇒|[-–—])"
_SURELY = (
    r"(?:most\s+likely|\w+ly|indeed|thus|therefore|hence|still|then|again|just|also|in\s+fact|of\s+course|perhaps|maybe"
    r"|after\s+all|in\s+this\s+case|i\s+(?:think|believe|guess)|daher|somit|also|demnach|folglich|deshalb|donc|quindi)"
)
_ARTICLE = r"(?:the|an?|la|le|les|l['’]|die|der|das|el|il|o|de|het)"
_ADJECTIVE = (
    r"(?:correct|right|best|final|only|closest|true|remaining|last|first|second|third|fourth|appropriate|accurate"
    r"|correcte|richtige|correcta|corretta|correta|juste|bonne)"
)
_NOT_BUT = r"(?:(?:not|neither)\b[^.\n]{0,40}?\bbut\b(?:\s+rather)?\s*+)?"
# Between the verb and the letter: `indeed`, `the correct option`, `number`, `not A but`.
_FILL = (
    rf"(?:[\s,]*(?:\.\.\.|…)?\s*{_NOT_BUT}(?:,?\s*\b{_SURELY}\b,?)*\s*(?:{_ARTICLE}\s+)?"
    rf"(?:(?:most\s+)?{_ADJECTIVE}\s+)?(?:{_NOUN}\s+|number\s+){{0,2}}(?:{_HAN_NOUN})?\s*:?\s*(?:[-–•]\s+)?)"
)
_SOME = r"(?:\s+(?:\([^()\n]{0,40}\)|[\w'’,/-]+)){0,9}?"

# What stands before a letter: it is named the answer, whatever follows.
NAMED_ANSWER = _words(
    rf"(?<!\beach )(?<!\bevery ){_NOUN}(?:{_SOME}\s+{_BE}\b|{_SOME}['’]s\b|{_SOME}\s*{_SIGN}){_FILL}\(?$",
    rf"\bboxed:{_FILL}\(?$",
    rf"\bwhat\s+(?:best\s+)?(?:answers|matches|fits|describes|completes)\b[^.\n]{{0,40}}?\s{_BE}\b{_FILL}\(?$",
    r"(?<!\bsecond[ -])(?<!\bnext[ -])"
    r"\b(?:correct|right|best|closest|selected|chosen|richtig|korrekt|correct[oae]|corrett[oa]|corret[oa]|remaining)(?:\s+one)?"
    rf"(?:\s+{_BE}\b|\s*{_SIGN}){_FILL}\(?$",
    rf"\bone(?:\s+(?:that|which)\b{_SOME})?\s+{_BE}\b{_FILL}\(?$",
    rf"{_HAN_NOUN}[^\n。.,，]{{0,8}}?(?:是|为|為|应为|選|选|は|が|은|는|이|:)\s*{_FILL}\(?$",
    r"(?<!不)(?:正确|正確|符合题意|符合要求|合适|恰当|对)的(?:选项|答案)?(?:应该|应当)?(?:是|为)\s*\(?$",
    r"(?:옳은|맞는|알맞은|올바른|적절한)\s?(?:것|답|선택지|보기)?[은는이]\s*\(?$",
    r"(?:الإجابة|الجواب|الخيار\s+الصحيح|الاختيار\s+الصحيح|پاسخ|απάντηση|התשובה|उत्तर|जवाब|विकल्प|คํ?[าำ]ตอบ)[^\n.,]{0,30}?$",
    r"^\W*(?:true|yes):\s*\(?$",
    r"\b(?:odpowiedź\s+to|vastaus\s+on|răspunsul(?:\s+\w+)?\s+este|jawaban\w*(?:\s+\w+){0,2}\s+adalah"
    rf"|câu\s+trả\s+lời(?:\s+\w+){{0,2}}\s+là|cevap|doğru\s+(?:yanıt|seçenek)|válasz(?:\s+\w+)?)\s*{_FILL}\(?$",
    rf"(?:(?<![a-z])(?:选|選)(?:择|擇)?了?|故选|应选|答)\s*:?\s*{_FILL}\(?$",
)
# It is chosen, where a clause may end behind it: `therefore B.`, not `therefore A has`.
CHOSEN = _words(
    r"\b(?:mark|circle|tick|vote\s+goes\s+to|choose|chose|select|selected|pick|picked|go(?:ing)?\s+(?:with|for)"
    r"|opt(?:ing)?\s+for|settle\s+on|vote\s+for|stick(?:ing)?\s+with|lean(?:ing)?(?:\s+(?:towards?|to))?"
    r"|i(?:['’]d|['’]ll|\s+would|\s+will)?\s+(?:say|guess|answer)|i\s+(?:think|believe|guess|suspect|meant?)"
    r"|inclined\s+to\s+\w+|(?:must|got\s+to|has\s+to)\s+be|choisis|w[äa]hle|elijo|escolho|scelgo|выбираю)"
    rf"(?:\s+(?:it['’]s|it\s+is))?\s*{_FILL}\(?$",
    r"\b(?:chang(?:e|ed|ing)|switch(?:ed|ing)?|revis(?:e|ed|ing)|updat(?:e|ed|ing)|correct(?:ed|ing)?|amend(?:ed|ing)?)"
    rf"(?:\s+(?:my|the|this|it|(?:{_LATIN_NOUN})|from\s+\(?[A-Z]\)?)){{0,4}}\s+to\s+{_FILL}\(?$",
    r"\b(?:therefore|thus|hence|so|consequently|accordingly|finally|conclusion|actually|correction|in\s+short|overall"
    r"|final|wait|edit|update|sorry|oops|arrive\s+at|end(?:s|ed)?\s+up\s+(?:with|at)|conclude|obtain|determined?)\b[\s,:]*"
    rf"(?:(?:it|that|this)(?:['’]s|\s+{_BE})\s+)?(?:we\s+(?:get|have|choose)\s+)?{_FILL}\(?$",
    rf"^\W*(?:(?:wait|hmm+|oh|but|and|actually)\W+)*no\b[\s,:—–-]*{_FILL}\(?$",
    rf"\b(?:it|that|this|which)(?:['’]s|\s+{_BE})(?:\s+between\b[^.\n]{{0,30}}?,)?{_FILL}\(?$",
    rf"\b(?:leaves?|leaving|left\s+with|remaining\s+(?:{_LATIN_NOUN})\s+{_BE})\s+(?:us\s+|me\s+)?(?:with\s+)?"
    rf"(?:only\s+|just\s+)?{_FILL}\(?$",
    rf"\bbetween\b[^.\n]{{0,60}},\s*(?:i(?:['’]d|\s+would)?\s+\w+\s+)?{_FILL}\(?$",
    rf"\b(?:probably|definitely|likely|certainly|surely|clearly|obviously|maybe|perhaps)\b,?\s*{_FILL}\(?$",
    rf"\belimination\b[\s,:]*{_FILL}\(?$",
    rf"(?:只剩下?|剩下的?是?|而是|而应选|更可能是|我认为(?:是|选)?|ではなく,?|아니라|بل|değil,?)\s*{_FILL}\(?$",
    r"\b(?:sondern|somit|daher|folglich|demnach|por\s+(?:lo\s+)?tanto|sino|donc|portanto|quindi|dunque|следовательно)\b"
    rf"[\s,:]*(?:(?:ist|es|est|è|é|это)\s+)?{_FILL}\(?$",
    rf",\s*а\s+{_FILL}\(?$",
    rf"(?:^|,)\W*(?:es\s+ist|es\s+la|es\s+el|c['’]est|il\s+s['’]agit\s+de|è|это|ตอบ|chọn)\s+{_FILL}\(?$",
    # Not between two letters, as in a reaction or a limit; but behind a unit, as in `12 g → B`.
    r"(?<!(?-i:[^a-z][A-Z]) )(?<!(?-i:[^a-z][A-Z]))"
    r"(?<!(?-i:[^\w\s/][a-z]) )(?<!(?-i:[^\d\s]\s[a-z]) )(?<!(?-i:[^\w/][a-z]))"
    rf"(?:→|=>|->|⇒|⟹|∴)\s*{_FILL}\(?$",
)
# The same with the text of the choice before a letter in brackets: `I'd say the heart (B)`.
CHOSEN_BY_TEXT = _words(
    r"\b(?:i(?:['’]d|['’]ll|\s+would|\s+will)?\s+(?:say|guess|pick|choose|select)|choose|pick|select)\s+(?:[\w'’-]+\s+){1,4}\(?$"
)
# It is what is asked for by its fault: of `Which is not true?` the answer, of others the opposite.
ODD_ONE = _words(
    r"\b(?:false|incorrect|untrue|wrong|inaccurate|invalid)\s+(?:statement|claim|assertion|sentence|one|item|pair)\s+"
    rf"{_BE}\b{_FILL}\(?$",
    rf"\b(?:exception|odd\s+one(?:\s+out)?|outlier)\s+{_BE}\b{_FILL}\(?$",
    r"\b(?:that|which|who|to)\s[^.,;\n]{0,30}?\b(?:not|never|false|incorrect|untrue|wrong)\b[^.,;\n]{0,40}?\s"
    rf"{_BE}\b{_FILL}\(?$",
)
MATCHED = _words(
    r"\b(?:match(?:es|ing|ed)?|correspond(?:s|ing)?\s+(?:to|with)|equals?|agrees?\s+with|consistent\s+with|fits"
    r"|points?\s+to|align(?:s|ed)?\s+with|namely|i\.e\.,?|that\s+is,|gives(?:\s+us)?|yields|supports?"
    rf"|favou?rs?|indicates?|suggests?|described\s+(?:in|by)){_FILL}\(?$",
    r"[^\W\d]{3}\s*=\s*\(?$",
)
# What has been described is called by its letter: `the heart is listed as B.`
NAMED_AT_END = _words(
    r"\b(?:is|(?:is\s+)?(?:listed|given|labell?ed)(?:\s+(?:as|under))?)\s+\(?$|,\s+but\s+\(?$"
)
ONLY = _words(rf"\bonly\s+(?:(?:{_LATIN_NOUN})\s+)?\(?$")
ALL_BUT = _words(
    r"^\W*(?:apart\s+from|except(?:\s+for)?|other\s+than|besides|with\s+the\s+exception\s+of)\s+"
    rf"(?:(?:{_LATIN_NOUN})\s+)?\(?$",
    r"\b(?:all|every\w*|each|any|none|no|nothing)(?:\s+(?:of|the|these|other|others|one))*"
    rf"(?:\s+(?:{_LATIN_NOUN})s?)?(?:\s+\w+){{0,3}}?\s+(?:but|except(?:\s+for)?|other\s+than|besides|apart\s+from)\s+"
    rf"(?:(?:{_LATIN_NOUN})\s+)?\(?$",
)
NONE_BETTER = _words(
    r"(?:\b(?:no|not|nothing)|n['’]t)\b[^.\n]{0,30}\bbetter\b[^.\n]{0,20}\bthan\s+(?:\w+\s+)?\(?$"
)
# The last word is that there are several: `The answer is (B) and (D).`
ANSWERS = re.compile(
    r"(?<!ncorrect\s)(?<!rong\s)(?<!ther\s)(?<!alse\s)\b(?i:answers?(?:\s+(?:is|are)|:))\s+\(?[A-J]\)?(?:\s?(?:,|&|\band\b)\s?(?:and\s)?\(?[A-J]\)?)+\s{0,9}(?:\.\s{0,9})?(?:\n|$)"
)
# `None of the options A, B, C`: each of them.
NONE_OF = _words(
    r"\b(?:none|neither)\s+of\s+(?:the\s+|these\s+)?(?:options?|choices?|answers?|statements?)?(?:[\s,]|\b(?:and|or)\b|\b[A-J]\b)*$"
)
# A list begins behind it: of the choices that are wrong, or of all, which are yet to be looked at.
_FOLLOW = rf":\W*(?:(?:{_LATIN_NOUN})\W*)?$"
OTHERS_FOLLOW = _words(
    r"\b(?:why|(?:are|do)(?:n['’]t|\s+not)|others|other\s+(?:\w+\s+)?\w{4,}s|(?:each|every)\s+(?:other|remaining)|rest"
    r"|(?:remaining|incorrect|wrong)\s+(?:answer\s+)?\w{4,}s)\b[^:,\n]*"
    r"(?<!answer is)(?<!option is)(?<!choice is)(?<! be)" + _FOLLOW
)
ALL_FOLLOW = _words(
    r"\b(?:let['’]?s(?!\s+(?:choose|pick|select|go\s+with|say|take|answer|mark|conclude|finali[sz]e|write|state|give)\b)|each|every|determine|find|identify|decide|evaluat\w+"
    r"|analy[sz]\w+|options|choices|answers|statements)\b[^:,\n]*(?<! is)(?<! be)" + _FOLLOW
)
# No list: the line names the answer, as in `The option that explains why it is slow: B` and `That's why I choose: B`.
NAMES_IT = _words(
    r"^\W*(?:(?:so|thus|hence|therefore|the|my|final|correct|right|best|only|selected|chosen)[\s,]+){0,4}"
    r"(?:(?:answer|option|choice|statement)\b(?![-\s]+(?:by|choices?|options?|anal\w+|expla\w+)\b)"
    r"|(?<=the\s)one\b|(?<=best\s)explanation\b)(?-i:(?:(?!\b[A-J]\b)[^,])*)$",
    r"\b(?:that['’]?s|(?:that|which)\s+is)\s+why\s+(?:the\s+(?:correct|right|best|answer|only)|i|we|my)\b[^,]*$",
    r"\bi(?:['’]d|\s+would|\s+will)?\s+(?:select|choose|pick|go\s+with)\s*:\W*$",
    r"(?:\b(?:so|thus|hence|therefore|eliminated)|→|->|=>|⇒)\s+(?:(?:the|my|correct|right|best|final|only)\s+)*"
    r"(?:answer|choice|option)\b[^:,]{0,20}:\W*$",
    r"^(?:(?!\b(?:let|find|identify|determine|see|decide|which|why|how|expla\w+|to|for|not)\b|n['’]t).)*"
    r"(?<!and )\b(?:the|one)\s+(?:(?:correct|right|best|final)\s+)*(?:answer|choice|option|one):\W*$",
)
# The first line looks at several choices: `Option A: filters. Option C: breathes.`
ROW = _words(rf"\W*(\b(?:{_LATIN_NOUN})\s+)\(?([A-J])\b\)?:\s[^\n]*[.;]\s+\1\(?(?!\2)[A-J]\b\)?:\s")
WHY = _words(r"\bwhy\s+(?:is\s+it\s+)?\(?$")
# `Answer (B).` ends a text.
LABEL = _words(
    r"^\W*(?:(?:so|thus|hence|therefore|final|correct|right|best|the)[\s,]+){0,3}(?:answer|ans)\s*\|?\s*\(?$",
)
ENDS = re.compile(r"\)?\s*+[.!|]*+\s*+$")
OPTION = _words(rf"(?:{_NOUN}|{_HAN_NOUN})\s*,?\s*\(?$")

# What stands behind a letter. Between may be the text of the choice, without a verb of its own.
_VERB = (
    r"(?:is|are|was|were|can|does|do|has|have|because|since|so|and|but|while|although|though|if|when|would|whereas"
    r"|as)"
)
_ITS_TEXT = rf"\)?[).:]?(?:\s+\([^()\n]{{0,60}}\)|[\s:–—-]+(?:(?!\b{_VERB}\b|[.;?!\n|,]).){{0,60}})?\s*"
_SEEMS = rf"(?:{_BE}|seems|appears|looks|stands)"
_QUITE = r"(?:\s+(?:\w+ly|indeed|thus|therefore|still|in\s+fact|also|now|in\s+my\s+opinion))*"
_STOPS = r"(?=\W*(?:$|[.\n,;!]))"
# Of what is asked for by its fault: `C is not a part of it, so it is the answer.`
_SO_IT_IS = (
    r"(?=[^.;\n]{0,80}?\b(?:so|hence|therefore|thus),?\s+(?:it|this)(?:['’]s|\s+is)\s+(?:the\s+(?:correct\s+|right\s+)?answer"
    r"|(?:the\s+)?exception)\b(?!\s*\?))"
)
IS_ANSWER = _words(
    rf"{_ITS_TEXT}\b(?:{_SEEMS}{_QUITE}(?:\s+(?:the|our|my|your|clearly\s+the))?"
    r"(?:\s+(?:most\s+)?(?!not\b|never\b|wrong|incorrect)\w+){0,2}?"
    r"\s+(?:answer|choice|option|pick|solution|response|alternative|selection)\b"
    rf"|{_SEEMS}\s+(?:the\s+(?:(?:correct|right|best|only)\s+)?one|it){_STOPS}"
    r"|(?:die|der|das)\s+(?:richtige|korrekte|beste)\s+(?:antwort|option|l[öo]sung|wahl)\b"
    rf"|(?:w[äa]hlen|nehmen|choisir)\b|remains(?:{_STOPS}|\s+(?:as|because)\b)|it\s+is{_STOPS})",
    _SO_IT_IS,
)
IS_RIGHT = _words(
    rf"{_ITS_TEXT}(?:\b{_SEEMS}{_QUITE}(?:\s+(?:the|a))?(?:\s+(?:only|most|more|fully|both))*\s+(?:correct|right|best|valid"
    r"|accurate|closer|closest|nearer|stronger|superior|better|preferred|preferable|likely|appropriate|plausible|suitable|reasonable|logical|fitting|relevant"
    r"|optimal|precise|specific|comprehensive|only\s+\w+\s+(?:that|which))\b"
    r"|\b(?:best\s+\w+s|\w+s\s+(?:the\s+)?(?:best|most\s+sense)|(?:is|was)\s+what\s+(?:we|the\s+question|is)"
    r"|wins|matches|works|fits|satisfies|holds)\b"
    r"|\s*(?:选项|選項|项|項)?\s*(?:是|为)?\s*(?:正确|正確|对的)"
    r"|\b(?:est|ist|es|é|è)\s+(?:la\s+)?(?:correct\w*|richtig|korrekt|corrett\w|corret\w)\b|\b(?:richtig|korrekt)\b"
    r"|\s*[—–-]?\s*(?:является\s+)?(?:вер(?:н|ен)|правильн)\w*|\s*が\s*(?:最も)?(?:正し|正解|適切|答え)"
    r"|\s*(?:번)?[가이은는]\s*(?:맞|정답|옳|올바)|\s+(?:هو|هي)\s+ال(?:صحيح|إجابة|جواب))"
)
IS_TRUE = _words(rf"{_ITS_TEXT}\b{_SEEMS}{_QUITE}\s+(?:true|yes|possible|consistent|supported)\b")
IS_EXCEPTION = _words(
    rf"{_ITS_TEXT}\b{_BE}\s+the\s+(?:only\s+)?(?:exception|odd\s+one|outlier|false|incorrect)\b"
)
IS_ALONE = _words(r"\)?\s+(?:is|does|was)\s*[.!]")
_NO = (
    r"(?:(?:is|are|was|were|would\s+be|can\s+be|could\s+be|seems|looks)(?:n['’]t\b|\s+(?:\w+\s+){0,2}?(?:not|never"
    r"|in(?:correct|accurate|valid|appropriate|complete|consistent|applicable|sufficient)|un\w+|im(?:possible|proper"
    r"|plausible)|ir\w+|wrong|false|less\b|out\b|ruled|excluded|eliminated|rejected))"
    r"|(?:cannot|can['’]t|can\s+not|could\s+not|does(?:n['’]t|\s+not)|do(?:n['’]t|\s+not)|fails|never|is\s+no)\b)"
)
_WRONG = r"(?:incorrect|wrong|false|no|untrue|not\s+(?:correct|right|true))"
DENIED = _words(
    rf"\)?[).:]*\s*(?:\([^()\n]{{0,60}}\)\s*)?(?-i:(?=[a-z])){_NO}(?!{_SO_IT_IS})",
    rf"\)?[).:]*\s*[|:–—-]+\s*(?:this\s+is\s+|it\s+is\s+|it['’]s\s+|that['’]s\s+)?(?:\(?\s?{_WRONG}\b|[✗✘❌×])",
    rf"\)?\s*\(\s?(?:{_WRONG}\b|[✗✘❌])",
    rf"(?:\)?[).:]|\))\s*(?:{_WRONG}(?=\s*(?:$|[.,;!\n(–—-]|:(?!\s*+$)|because|since|as\b|it\b|this\b|\(?[a-jA-J][).]))|[✗✘❌])",
    r"\)?\s*(?:选项|選項|项|項)?\s*(?:是|为)?\s*(?:错|錯|不)",
    r"\)?[).:]*\s*[—–-]?\s*(?:не\s|невер|неправильн|ошибочн|(?:ist|wäre)\s+(?:falsch|nicht|kein)|es\s+incorrect|est\s+(?:incorrect|fau)"
    r"|è\s+(?:sbagliat|errat)|está\s+(?:errad|incorret)|n['’]est\s+pas|no\s+es\b|non\s+è\b|não\s+é\b|[がは]\s*(?:誤|間違|不)|(?:では|じゃ)な|[가이은는]?\s*(?:아니|틀)|خاطئ|değil|yanlış|गलत|ผิด)",
)
# An item of a list: `Option A: Doesn't fit.`
DENIED_ITEM = _words(
    r"\)?\s*[:–—-]\s*(?:this\s+|it\s+)?(?:(?:does|is|was|would|could)(?:n['’]t|\s+not)|cannot|can['’]t|not)\b"
)
# Of a letter that nothing else is said of, with the text of its choice: `B (Heart) is wrong`.
DENIED_BELOW = _words(
    rf"(?:(?!\b(?:is|are|was|can|does|because|since|so|and|but|while)\b)[^;?\n]){{0,80}}+\b{_NO}"
)
ASKED = re.compile(r"\)?\s?\?")
QUALIFIED = _words(
    r"[^.;\n]{0,60}?\b(?:only\s+(?:if|for|when|in|under|with)|if|unless|when|in\s+that|but|although|though|however"
    r"|except|for\s+(?!the\s+following|this|these|several)\w+|to\s+(?!this\b|the\s+question|question)\w+"
    r"|in\s+(?!this|the\s+given|general|my|fact\b)\w+|of\s+(?!the|these|all|those)\w+)\b"
)
PARTLY = _words(
    r"\b(?:partial\w*|partly|sometimes|generally|technically|often|possibly|somewhat|half|almost|nearly|not|never|less"
    r"|least)\b"
)
CLOSES = _words(
    r"\)?\s*+(?:$|[.,;:!?\n(~|]|[-–—]\s|(?:here|among|from|of\s+the|because|since|as|given|due|and|but|with|in|for|which"
    r"|rather|instead|over|it\s+is|is|would)\b|입니다|이다|です|である|となり)"
)
STOPS = re.compile(r"\s*+(?:$|[.,;)\n])")
FORMULA = re.compile(r"\)?\s*+(?:[=≈+*^×÷∝~]|[<>]\s|/\s?[\d(]|[-−]\s?\d)")
IF = _words(r"\)?\s+(?:if|when|unless)\b")

# One choice or each is to be looked at, before anything is said of them.
REVIEWS = re.compile(
    r"\b(?:let['’]?s|let\s+(?:me|us)|i['’]ll|we['’]ll|(?:i|we)\s+(?:will|can|should|need\s+to|must|have\s+to)|to|first(?:ly)?"
    r"|start(?:ing)?)\b[^.\n]{0,60}?\b(?:analy[sz]e|consider|examine|evaluate|assess|review|discuss|check|look\s+at|think\s+"
    r"about|go\s+(?:through|over)|start|starting|begin|break\s+down|with)\b[^.\n]{0,40}?\b(?:options?|choices?|statements?|answers?"
    r"|each|possibilit\w+|alternatives?|one\s+by\s+one|\(?[A-D]\)?(?=\W))",
    re.IGNORECASE,
)
CONCLUDES = _words(
    r"\b(?:based\s+on|therefore|thus|so|hence|conclu\w+|overall|in\s+summary|ultimately|finally|given\s+(?:this|these|that|the)"
    r"|as\s+such|the\s+(?:only|correct|right|best)\s+\w+)\b"
)

BEGINS_CONCLUSION = _words(
    r"\W*(?:based\s+on|therefore|thus|hence|so|in\s+(?:conclusion|summary|short)|overall|ultimately|consequently|as\s+such)\b"
    r"(?:(?!\b(?:not|never|neither|cannot|if)\b|n['’]t\b).)*$"
)
SENTENCE_OVER = re.compile(r"\)?\s*+(?:[.!]+(?:\s|$)|\n|$)")

# What is said in the sentence or clause before a letter.
SENTENCE_END = re.compile(r"[.!?;](?=\s)|\n")
CLAUSE_END = _words(
    r"\b(?:but(?:\s+rather)?|so|hence|therefore|thus|then|and\s+(?:that|this|it)|because|since|leav(?:es|ing))\b",
    r"[,;:→⇒]|=>|->",
)
NOT = _words(
    r"\b(?:not|never|neither|nor|cannot|wrong|incorrect|false|worst|least|eliminat\w+|exclud\w+|rul(?:e|ed|ing)\s+out"
    r"|reject\w*|discard\w*|instead\s+of|rather\s+than|unlike|than|if|whether|suppose|assuming|unless"
    r"|nicht|keine?|falsch|no\s+es|n['’]est\s+pas|non\s+è|não\s+é|не|неверн\w*|неправильн\w*|ليست?)\b",
    r"n['’]t\b|不(?!是[^,]*而)|排除",
)
SAID_BY_OTHERS = _words(
    r"\b(?:another|alternative(?=\s+(?:answer|choice|option))|(?:second|third|next|your|possible)[\s-]+(?:best\s+)?"
    r"(?:answer|choice|guess)|best\s+alternative|runner-?\s?up|students?|people|many|others|tempt\w*|mistake\w*|trap"
    r"|distractors?|avoid|confus\w+|misconception|some|someone|somebody|one\s+(?:might|may|could)"
    r"|you\s+(?:might|may|could|said|chose|picked)|(?:my|the)\s+(?:first|initial|earlier|previous)|at\s+first|initially"
    r"|originally|previously|(?:i|we)\s+(?:first|said|thought|considered)|first\s+thought|compared?)\b",
    r"\((?:maybe|perhaps|possibly|or|could\s+also)\b[^()]*$",
)
CONTRASTS = _words(r"\b(?:but|however)\b|,")
IF_I_MUST = _words(
    r"\bif\s+(?:i|we)\s+(?:(?:really\s+)?(?:had|have)\s+to|were\s+to|must)\s+(?:make\s+a\s+)?(?:choose|choice|guess|pick|bet|say|decide|answer)\b(?:\s+one)?,?"
)
SUPPOSED = _words(
    r"\b(?:if|had)\b[^.]*\b(?:would|were)\b|\bwould\s+have\b",
    r"\bif\b[^,]*\b(?:question|meant|mean|asked|asks|wanted|refer\w*|interpret\w*)\b",
)
WOULD = _words(r"\b(?:would|could|might|may)\b")
CONCEDED = _words(r"\b(?:while|although|though|even\s+if|whereas|despite)\b")
CONSIDERED = _words(
    r"\b(?:analy[sz]e|consider|examine|evaluate|look(?:ing)?\s+at|check|start\w*|first|let['’]s|let\s+me|about)\b"
)
TURNS = _words(
    r"\b(?:therefore|thus|hence|so|consequently|actually|wait|correction|however|in\s+fact|finally|conclu\w+|no,|instead"
    r"|hmm+|but)\b"
)

# Of lists with a verdict on each choice.
ITEM = _words(
    r"(?:^|[.;!?,|:-])\W*(?:\d\.\s+)?\W*(?:(?:(?:la|die|a|l['’])\s+)?(?:option|choice|statement|(?:is\s+it|could\s+it\s+be|(?:what|how)\s+about)|选项|選択肢"
    rf"|الخيار|ข้อ|विकल्प|{_LATIN_NOUN})\s*)?$",
    r"\b[A-J]\)?\s*[✓✔✅☑✗✘❌✖×]\W*$",
)
AFFIRMED = _words(
    r"\b(?:correct|right|true|yes|valid|fits|matches|richtig|korrekt|correct[oae]|corret[oa]|corrett[oa]"
    r"|vrai|verdadero|verdadeir[oa]|ver[oa]|верно|верен|верный|правильно|да|doğru|juist|riktig|rätt|benar|đúng|poprawn[ey]|poprawna|صحيح|सही|ถูก)\b|[✓✔✅☑]|正确|正確|(?<!不)对(?!应)"
)
REJECTED = _words(
    r"\b(?:incorrect|wrong|false|untrue|inaccurate|invalid|no|not|ruled\s+out|partial\w*|partly|falsch|faux|fausse|incorrect[oae]"
    r"|incorret[oa]|falso|falsa|err?ad[oa]|sbagliat[oa]|неверн\w*|неверен|неправильно|нет|yanlış|fout|feil|salah|sai|błędn[ey]|błędna|خاطئ|गलत|ผิด)\b",
    r"n['’]t\b|[✗✘❌✖☒]|错|錯|不",
)
REJECTED_BEFORE = re.compile(r"\W{0,9}[✗✘❌✖☒]")

EXPLAINS = _words(r"\W*(?:explan|explic|reason|rationale|because|why|justif|here['’]s|let|the\b|this\b)")
# A sentence that goes on.
BROKE_OFF = _words(r"\b(?:and|or|but|the|an?|of|to|in|is|are|which|that|because|by|from|with|for|as)\s*$")
BEGINS_LIST = re.compile(r":\W*$")
SECOND_PART = re.compile(r"\S\s\(?b\)\s\S")  # `(a) ... (b) ...` in a line: parts of a question
FIRST_ITEM = re.compile(r"\W{0,3}1[.)]\s")  # the beginning of a list

# Behind the article A or the pronoun I: no verb of a choice, nor anything that may follow one.
ARTICLE = re.compile(
    r"\s+(?!(?:is|was|are|because|since|as|and|or|but|for|which|seems|appears|looks|remains|fits|matches|only|given|due|in"
    r"|not|nor|rather|instead|would|must|should|can|cannot|does|has|makes|best|works|holds|satisfies|it|describes|states"
    r"|wins|over|with|if|when|to|that|alone|while|though|also|then|so)\b)[a-z]"
)
