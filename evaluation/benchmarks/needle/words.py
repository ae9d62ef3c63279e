"""The words that haystacks and keys are made of. None has a digit, so that no haystack holds a value by chance."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in " ".join(text.split()).split("|"))


PLACES = _words(
    """
    Harrow Brindle Ashford Marlow Tillbury Wexcombe Oldmere Fenwick Carrick Dunmore Elsmere Greyhaven Hartsea
    Kelso Lindale Morwick Netherby Penrose Quarley Ravensby Selwick Thornby Ulverton Wrenfield Yarrow Aldwick
    Bexhill Coldstream Dalby Eastry Farnley Garstang Holbeck Inverlee Kirkdale Loxley
    """
)
PEOPLE = _words(
    """
    Agnes Albert Beatrice Bernard Clara Conrad Dorothy Edgar Edith Ernest Esther Felix Flora Frances Gilbert
    Greta Harold Helen Hugo Ida Isaac Jasper Judith Julian Laura Leonard Lydia Martin Matilda Nora Oliver Oscar
    Paula Philip Rachel Rupert Sarah Simon Sophia Stella Stephen Theodore Ursula Victor Viola Walter Winifred
    """
)
TRADES = _phrases(
    """
    the miller | the baker | the ferryman | the schoolmaster | the clerk of the harbour | the shepherd | the
    potter | the carpenter | the doctor | the innkeeper | the gardener | the beekeeper | the stonemason | the
    organist | the postmistress | the blacksmith | the weaver | the cooper | the librarian | the lighthouse
    keeper | the tailor | the surveyor | the bookbinder | the farrier
    """
)
TIMES = _phrases(
    """
    In the first week of spring | On a wet morning in autumn | Towards the end of summer | Shortly before noon |
    When the frost had gone | On the eve of the fair | After the long drought | Late in the evening | Before the
    harvest | On the day of the regatta | In a mild winter | While the bridge was closed | As soon as the roads
    were dry | During the second storm of the year | Soon after the new moon | At the beginning of the holidays
    | Long before sunrise | In the weeks after the flood | On market day | Around midsummer
    """
)
GOODS = _phrases(
    """
    barrels of cider | sacks of barley | bolts of linen | crates of pears | rolls of parchment | jars of honey |
    bundles of reeds | baskets of mussels | loads of firewood | panes of glass | coils of rope | blocks of slate
    | boxes of candles | wheels of cheese | bales of wool | bags of seed | tins of paint | bricks of salt |
    strings of onions | pots of ink | planks of oak | bottles of lamp oil | chests of tea | sheets of copper |
    reams of paper | hampers of plums
    """
)
WORKS = _phrases(
    """
    the north wall of the churchyard | the weir below the mill | the roof of the granary | the clock in the
    tower | the fence around the orchard | the old ferry landing | the pump in the square | the staircase of the
    town hall | the windows of the reading room | the path along the cliff | the stable behind the inn | the
    bell of the chapel | the ovens of the bakery | the sign above the chandlery | the railings of the bandstand
    | the drains of the lower street | the steps down to the quay | the stage of the small theatre | the gate of
    the botanical garden | the signal on the pier
    """
)
WEATHER = _phrases(
    """
    a thin fog lay over the fields | the wind had turned to the east | rain was drumming on the roofs | the sky
    was clear | snow covered the hills | the river had risen by a hand | the air smelled of hay | thunder could
    be heard far away | the first swallows had returned | the leaves were beginning to turn | the tide was
    unusually low | it was warm for the season
    """
)
THOUGHTS = _phrases(
    """
    nobody had expected it to last | the cost was shared by the parish | most people thought it a sensible plan
    | there was some grumbling about the noise | the younger children were delighted | it took longer than
    promised | the newspaper gave it only a few lines | opinions in the tavern were divided | the matter was
    soon forgotten | a second attempt was put off until later | the neighbours lent their tools | an old quarrel
    was settled on the way | the accounts were found to be in good order | everyone agreed that it could have
    been worse
    """
)
ADJECTIVES = _words(
    """
    amber ancient azure bitter blunt bold brass brazen brisk bronze calm carved cedar chalky cheerful clever
    coarse cobalt copper coral crimson crooked curious damp daring dappled dusky dusty eager earnest ebony
    emerald faded faithful fancy feathered fierce flaxen forgotten fragile frosty gentle gilded glassy gleaming
    golden graceful gritty hasty hidden hollow honest humble icy indigo iron ivory jagged jolly lacquered lavish
    leaden lilac lively lofty lonely lucid maroon mellow merry mighty misty modest mossy muted narrow nimble
    noble ochre olive opal painted patient pearly placid plain polished proud quaint quiet radiant ragged rapid
    restless rustic sandy sapphire scarlet shaded sharp silent silver sleek slender smooth snowy solemn speckled
    steady sturdy sullen sunny tawny tender tidy timid tranquil twisted velvet violet vivid wandering waxen
    weary winding wooden woven
    """
)
NOUNS = _words(
    """
    acorn anchor anvil arrow barrel basket beacon bellows bobbin bonnet bottle bracelet bridle brooch bucket
    buckle button candle canoe carpet casket cauldron chalice chariot chisel cloak clarinet compass cradle crown
    cushion dagger dial drum easel feather fiddle flagon flask flute fountain gauntlet goblet gong hammer harp
    hatchet helmet hourglass inkwell jug kettle keyhole kite ladder lantern lens locket loom lute mallet mantle
    marble mask medal mirror mitten mortar necklace oar paddle parasol pendant pendulum pennant pitcher plough
    pulley quill quilt rattle ribbon rudder saddle sail satchel scabbard sceptre scroll shawl shield sickle
    sieve slipper spindle spoon spur stirrup sundial tablet tambourine tankard tapestry teapot telescope thimble
    tiara torch trellis trident trowel trumpet trunk tunic urn vase vessel violin wagon wheel whistle wreath
    """
)
