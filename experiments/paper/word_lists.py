"""The words from which make_items.py composes the four tasks. Written by hand for this project.

Test and training material never share a frame, a sentence pattern or a noun: what is marked TRAIN serves as shots only.
"""

# ---------------------------------------------------------------------------------------------------- sentiment
# Subjects by class. A frame names the class whose subjects it takes.
SUBJECTS = {
    "work": ["the film", "this novel", "the stage play", "her new album", "the documentary", "the television series",
             "the opening concert", "this comic book", "the musical", "the short story", "the radio drama", "the puppet show"],
    "place": ["the hotel", "this little café", "the seaside hostel", "the city museum", "the campsite", "the swimming hall",
              "the corner bakery", "the guest house", "the youth club", "this garden restaurant", "the mountain lodge",
              "the railway bar"],
    "thing": ["the phone", "this kettle", "my new laptop", "the rain jacket", "the folding bicycle", "the office chair",
              "this vacuum cleaner", "the pair of headphones", "the coffee machine", "the camping tent", "the desk lamp",
              "this backpack"],
    "service": ["the delivery company", "the evening course", "the dental practice", "our tour guide", "the repair shop",
                "the moving crew", "the language school", "the taxi firm", "the hotline", "the wedding planner",
                "the gym trainer", "the cleaning service"],
}

# Some sentences begin with one of these; they carry no polarity.
OPENERS = ["", "", "", "After two weeks I can say: ", "For the record, ", "My sister and I agree: ", "To sum up, ",
           "As a regular customer I would say: ", "Having tried it twice: ", "In short, "]

# {s}: the subject in small letters. One list a label; the two lists are alike in length and form.
POSITIVE = {
    "work": [
        "{s} moved me to tears and I loved every minute of it.",
        "{s} is a joy from beginning to end, with a wonderful sense of humour.",
        "I have rarely enjoyed anything as much as {s}.",
        "{s} is brilliantly made, and the ending is simply perfect.",
        "everyone in the room was delighted by {s}.",
        "{s} deserves every prize it can get, it is a masterpiece.",
        "{s} is clever, warm and wonderfully paced.",
        "I was gripped by {s} at once and recommend it to all my friends.",
        "what a treat: {s} is funny, touching and beautifully told.",
    ],
    "place": [
        "{s} was spotless, the welcome was warm and we slept like babies.",
        "we had a marvellous time at {s} and will gladly come back.",
        "{s} is charming, quiet and a real bargain.",
        "the people who run {s} are lovely and nothing is too much trouble for them.",
        "{s} is by far the nicest one in town.",
        "every visit to {s} puts me in a good mood.",
        "{s} exceeded all our hopes, from the view to the friendly staff.",
        "our children adored {s} and did not want to leave.",
        "{s} has a wonderful atmosphere and excellent food.",
    ],
    "thing": [
        "{s} works flawlessly and feels very well made.",
        "I am thrilled with {s}, it was worth every penny.",
        "{s} is a pleasure to use, light and wonderfully quiet.",
        "buying {s} was one of my best decisions this year.",
        "{s} has never let me down and still looks like new.",
        "{s} does exactly what it promises, and does it superbly.",
        "I love {s} and would buy it again without a second thought.",
        "{s} is sturdy, elegant and amazingly easy to handle.",
        "the quality of {s} is outstanding for such a fair price.",
    ],
    "service": [
        "{s} was punctual, friendly and did a fantastic job.",
        "I felt in the best of hands with {s}.",
        "{s} solved my problem within minutes and with a smile.",
        "thanks to {s} the whole day went perfectly.",
        "{s} is reliable, honest and wonderfully patient.",
        "I cannot praise {s} highly enough.",
        "{s} went out of the way to help us, and it was superb value.",
        "we were impressed by how careful and kind {s} was.",
        "{s} gets five stars from me, it could not have gone better.",
    ],
}
NEGATIVE = {
    "work": [
        "{s} bored me to tears and I hated every minute of it.",
        "{s} is a mess from beginning to end, with a dreadful sense of humour.",
        "I have rarely disliked anything as much as {s}.",
        "{s} is clumsily made, and the ending is simply ridiculous.",
        "everyone in the room was annoyed by {s}.",
        "{s} deserves no prize at all, it is a disaster.",
        "{s} is dull, cold and painfully slow.",
        "I gave up on {s} at once and warned all my friends about it.",
        "what a waste: {s} is tedious, shallow and badly told.",
    ],
    "place": [
        "{s} was filthy, the welcome was rude and we did not sleep at all.",
        "we had a miserable time at {s} and will never come back.",
        "{s} is shabby, noisy and a complete rip-off.",
        "the people who run {s} are unpleasant and everything is too much trouble for them.",
        "{s} is by far the worst one in town.",
        "every visit to {s} puts me in a bad mood.",
        "{s} fell short of all our hopes, from the smell to the grumpy staff.",
        "our children hated {s} and begged us to leave.",
        "{s} has a depressing atmosphere and awful food.",
    ],
    "thing": [
        "{s} hardly ever works and feels very badly made.",
        "I am furious about {s}, it was a waste of money.",
        "{s} is a nuisance to use, heavy and horribly loud.",
        "buying {s} was one of my worst decisions this year.",
        "{s} has let me down again and again and already looks worn out.",
        "{s} does nothing of what it promises, and does it terribly.",
        "I hate {s} and would never buy it again.",
        "{s} is flimsy, ugly and maddeningly hard to handle.",
        "the quality of {s} is appalling for such a steep price.",
    ],
    "service": [
        "{s} was late, rude and did a terrible job.",
        "I felt cheated and ignored by {s}.",
        "{s} made my problem worse and did not even apologise.",
        "because of {s} the whole day was ruined.",
        "{s} is unreliable, dishonest and horribly impatient.",
        "I cannot warn you strongly enough about {s}.",
        "{s} did nothing at all to help us, and it was shockingly expensive.",
        "we were appalled by how careless and unkind {s} was.",
        "{s} gets one star from me, it could not have gone worse.",
    ],
}
TRAIN_POSITIVE = {
    "work": [
        "{s} is splendid, I was smiling all the way home.",
        "a triumph: {s} is fresh, witty and full of life.",
        "if you only have one free evening, spend it on {s}.",
        "rarely has an hour flown by as it did with {s}.",
        "{s} kept us laughing until our sides ached.",
        "the critics are right for once, {s} is glorious.",
        "{s} gave me goose bumps, and I have already bought copies for friends.",
        "nobody wanted to go home after {s}, the applause lasted for minutes.",
        "{s} is the finest piece of its kind in ten years.",
    ],
    "place": [
        "{s} is a little paradise and we were spoilt there.",
        "I adore {s}, the rooms are bright and the cakes delicious.",
        "we arrived at {s} tired and left it rested and merry.",
        "{s} looks modest from outside and turns out to be a treasure.",
        "ask for a table at {s} and you will be in good spirits for days.",
        "at {s} they remembered my birthday and would not take a penny for the cake.",
        "{s} smells of fresh flowers, and every corner shines.",
        "nowhere did we feel more at home than at {s}.",
        "we extended our stay twice because of {s}.",
    ],
    "thing": [
        "{s} is terrific and makes my life so much easier.",
        "hats off, {s} is a gem that I use happily every day.",
        "ten years on, {s} still runs as on the first morning.",
        "{s} came early, fitted at once and put a grin on my face.",
        "my neighbours have ordered {s} as well, so much did they like mine.",
        "{s} saved me hours of work, and I would not part with it.",
        "whoever designed {s} understood what people need.",
        "even my sceptical father admits that {s} is a stroke of genius.",
        "{s} beats models that cost three times as much.",
    ],
    "service": [
        "{s} was a delight to deal with, quick and generous.",
        "I am so grateful to {s}, a truly excellent experience.",
        "{s} answered on a Sunday and had everything sorted by noon.",
        "whenever I need help again, {s} will be my first call.",
        "with {s} a dull errand became the high point of my week.",
        "{s} listened closely and charged less than agreed.",
        "my grandmother now swears by {s}, and she is hard to please.",
        "{s} made a nervous beginner feel safe and capable.",
        "hardly anyone works with as much care as {s} did.",
    ],
}
TRAIN_NEGATIVE = {
    "work": [
        "{s} is lousy, I was yawning all the way through.",
        "a failure: {s} is stale, witless and completely lifeless.",
        "if you only have one free evening, do not squander it on {s}.",
        "rarely has an hour dragged on as it did with {s}.",
        "{s} kept us groaning until our heads ached.",
        "the critics are wrong for once, {s} is rubbish.",
        "{s} gave me a headache, and I have already thrown my copy away.",
        "half of us went home during {s}, the booing lasted for minutes.",
        "{s} is the poorest piece of its kind in ten years.",
    ],
    "place": [
        "{s} is a gloomy hole and we were robbed there.",
        "I detest {s}, the rooms are dark and the cakes disgusting.",
        "we arrived at {s} cheerful and left it tired and cross.",
        "{s} looks inviting from outside and turns out to be a dump.",
        "ask for a table at {s} and you will be in low spirits for days.",
        "at {s} they forgot my order and still made me pay for the cake.",
        "{s} smells of old drains, and every corner is sticky.",
        "nowhere did we feel less at ease than at {s}.",
        "we cut our stay short because of {s}.",
    ],
    "thing": [
        "{s} is useless and makes my life so much harder.",
        "hands off, {s} is junk that I regret every day.",
        "ten days on, {s} already rattles like a wreck.",
        "{s} came late, fitted nowhere and drove me up the wall.",
        "my neighbours have sent {s} back as well, so much did they loathe theirs.",
        "{s} cost me hours of work, and I cannot wait to be rid of it.",
        "whoever designed {s} has never met a customer.",
        "even my patient father admits that {s} is a bad joke.",
        "{s} loses to models that cost a third as much.",
    ],
    "service": [
        "{s} was a nightmare to deal with, slow and greedy.",
        "I am so angry with {s}, a truly horrible experience.",
        "{s} never answered the phone and left everything in a muddle.",
        "whenever I need help again, {s} will be my last call.",
        "with {s} a simple errand became the low point of my week.",
        "{s} barely listened and charged more than agreed.",
        "my grandmother now curses {s}, and she is easy to please.",
        "{s} made a nervous beginner feel stupid and helpless.",
        "hardly anyone works with as little care as {s} did.",
    ],
}

# ------------------------------------------------------------------------------------------------------- plural
# (singular, plural), grouped by rule; nouns with two accepted plurals are left out.
PLURALS = {
    "s": """table lamp window garden river bridge doctor teacher letter ticket engine candle pencil market village castle
            mountain forest island ocean desert spoon bottle blanket mirror carpet ladder hammer bucket basket helmet
            jacket button pocket ribbon wallet turtle rabbit spider tiger lizard parrot pigeon dragon monster shadow
            planet rocket signal camera printer guitar trumpet violin drum flute poem chapter author editor
            lawyer farmer soldier sailor pilot driver singer dancer painter plumber cousin nephew neighbour stranger
            kitchen bedroom cellar attic carrot onion pumpkin lemon apricot""",
    "es": """box fox tax wish dish brush bush crash flash eyelash church bench beach peach coach watch match
             sandwich witch ditch torch branch inch glass dress boss class cross kiss pass waitress princess actress lens
             business mattress compass sphinx suffix reflex virus chorus circus walrus census atlas canvas iris""",
    "ies": """city baby lady party story country family army berry cherry factory library battery body copy diary enemy
              fly gallery hobby jury lily memory pony puppy spy territory theory victory melody bakery
              colony dairy ferry injury""",
    "ys": """boy toy key day donkey monkey valley turkey chimney essay display railway highway survey jersey kidney""",
    "ves": """leaf:leaves wolf:wolves half:halves calf:calves shelf:shelves loaf:loaves thief:thieves knife:knives
              life:lives wife:wives elf:elves bookshelf:bookshelves housewife:housewives werewolf:werewolves
              penknife:penknives""",
    "fs": """chief cliff reef belief proof cuff sheriff brief safe carafe gulf puff""",
    "oes": """potato tomato hero echo veto torpedo""",
    "os": """piano photo radio studio video kangaroo zoo cello casino kimono tattoo""",
    "irregular": """child:children ox:oxen man:men woman:women foot:feet tooth:teeth goose:geese mouse:mice louse:lice
                    policeman:policemen fireman:firemen postman:postmen fisherman:fishermen snowman:snowmen
                    chairwoman:chairwomen grandchild:grandchildren schoolchild:schoolchildren dormouse:dormice
                    stepchild:stepchildren gentleman:gentlemen eyetooth:eyeteeth""",
    "same": """sheep:sheep deer:deer moose:moose aircraft:aircraft spacecraft:spacecraft series:series species:species
               salmon:salmon trout:trout bison:bison hovercraft:hovercraft reindeer:reindeer""",
    "latin": """analysis:analyses crisis:crises thesis:theses basis:bases oasis:oases diagnosis:diagnoses
                hypothesis:hypotheses parenthesis:parentheses axis:axes synthesis:syntheses neurosis:neuroses
                phenomenon:phenomena criterion:criteria bacterium:bacteria alumnus:alumni stimulus:stimuli""",
}
# Spellings that some dictionary accepts: never offered as a wrong option.
ACCEPTED = set("""axes beeves calfs canvasses criterions deer deers echos elfs fox gulves heros hypothesises iris louses
                  mooses mouses ox phenomenons photoes rabbit reindeers salmons shelfs tattooes tiger trouts turtle viri
                  walri walrus wolf bisons""".split())

# ------------------------------------------------------------------------------------------------------ grammar
# Each entry is (correct, incorrect). Composed ones are built in make_items.py from the lists below.
AGREEMENT_SUBJECTS = [  # (singular, plural) that differ in number only
    ("The nurse", "The nurses"), ("My uncle", "My uncles"), ("The old clock", "The old clocks"),
    ("Her brother", "Her brothers"), ("The train to the coast", "The trains to the coast"),
    ("The dog behind the fences", "The dogs behind the fence"), ("The letter from my aunts", "The letters from my aunt"),
    ("The boy with the red kites", "The boys with the red kite"), ("This computer", "These computers"),
    ("The shop near the stations", "The shops near the station"), ("Our neighbour", "Our neighbours"),
    ("The key to the cabinets", "The keys to the cabinet"), ("That bridge", "Those bridges"),
]
AGREEMENT_VERBS = [  # (singular, plural, rest)
    ("looks", "look", "strange in this light."), ("was", "were", "repaired last spring."),
    ("has", "have", "been waiting for an hour."), ("makes", "make", "a lot of noise in the morning."),
    ("does", "do", "not bother anyone."), ("is", "are", "well known in the village."),
]
TRAIN_AGREEMENT_SUBJECTS = [("The girl", "The girls"), ("Your parrot", "Your parrots"),
                            ("The picture of the lakes", "The pictures of the lake"), ("The waiter", "The waiters")]
TRAIN_AGREEMENT_VERBS = [("seems", "seem", "rather old."), ("needs", "need", "more attention.")]

# (past form, bare form, rest)
TENSE_VERBS = [
    ("walked", "walk", "to the harbour"), ("visited", "visit", "the new museum"),
    ("cooked", "cook", "a big pot of soup"), ("wrote", "write", "a long letter home"),
    ("bought", "buy", "fresh bread"), ("met", "meet", "the mayor"),
    ("sold", "sell", "the old piano"), ("cleaned", "clean", "the whole flat"),
    ("took", "take", "the early train"), ("drove", "drive", "to the lake"),
    ("paid", "pay", "the electricity bill"), ("painted", "paint", "the garden gate"),
]
TENSE_SUBJECTS = ["Anna", "My grandfather", "The new teacher", "She", "He", "Peter", "Our landlady"]
PAST_TIMES = ["Yesterday", "Last week", "Two days ago", "Last summer"]
FUTURE_TIMES = ["Tomorrow", "Next week", "Next month", "Next summer"]
TRAIN_TENSE_VERBS = [("opened", "open", "a bank account"), ("found", "find", "a better job")]
TRAIN_TENSE_SUBJECTS = ["Maria", "The gardener"]

# Nouns for a/an. By sound, not by letter: an hour, a uniform.
AN_NOUNS = ["apple", "umbrella", "orange", "egg", "envelope", "elephant", "island", "hour", "aunt", "engine", "eagle",
            "onion", "office", "actor", "answer", "idea", "artist", "owl"]
A_NOUNS = ["banana", "raincoat", "pear", "biscuit", "parcel", "zebra", "valley", "uniform", "cousin", "motor", "hawk",
           "carrot", "workshop", "dancer", "question", "plan", "university", "European city"]
ARTICLE_FRAMES = ["There was {a} {n} in the story.", "I dreamt about {a} {n} last night.", "She drew {a} {n} on the wall.",
                  "We talked about {a} {n} all evening.", "He could see {a} {n} in the picture."]
TRAIN_AN_NOUNS = ["ant", "oven", "honest man"]
TRAIN_A_NOUNS = ["cat", "kettle", "one-way street"]
TRAIN_ARTICLE_FRAMES = ["They asked for {a} {n}.", "You will need {a} {n} for that."]

# (correct, incorrect) with {x} filled from the list behind it.
ORDER_FRAMES = [
    ("They have not seen {x} yet.", "They not have seen {x} yet."),
    ("She always carries {x} upstairs.", "She carries always {x} upstairs."),
    ("Where did you put {x}?", "Where you did put {x}?"),
    ("He sat down in front of {x}.", "He sat down front in of {x}."),
    ("I do not remember {x} at all.", "I do remember not {x} at all."),
    ("We gave {x} to the children.", "We {x} gave to the children."),
    ("Nobody has ever asked about {x}.", "Nobody has asked ever about {x}."),
]
ORDER_NOUNS = ["the blue suitcase", "the heavy box", "the wooden ladder", "the empty basket", "the green chair",
               "the broken lamp", "the small radio", "the warm blanket", "the yellow kite", "the silver spoon",
               "the dusty mirror"]
TRAIN_ORDER_FRAMES = [
    ("Can you show me {x}?", "You can me show {x}?"),
    ("It is too late to move {x}.", "It is late too to move {x}."),
]
TRAIN_ORDER_NOUNS = ["the round table", "the torn map", "the white door", "the iron pan"]
