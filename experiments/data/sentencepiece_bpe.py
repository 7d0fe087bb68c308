"""A tokenizer.json that gives SentencePiece's ids, of a BPE model's pieces and their scores.

SentencePiece joins the two neighbours whose piece has the best score, again and again; tokenizer.json lists the pairs in the
order in which they are joined. So each way to cut a normal piece into two normal pieces is a merge, ordered by the piece's score.
Pieces of type USER_DEFINED and CONTROL are found in the text before (SentencePiece itself leaves controls to its caller), bytes
stand for what no piece holds. GGUF writes blanks of user-defined pieces as they are; both are found where blanks are ▁.
"""
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, BYTE = 1, 2, 3, 4, 6  # types of pieces, as GGUF numbers them
BLANK = "▁"


def merges(pieces, scores, types):
    rank = {piece: score for piece, score, kind in zip(pieces, scores, types) if kind == NORMAL}
    out = []
    for piece, score in rank.items():
        cuts = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in rank and piece[i:] in rank]
        # Of one piece's cuts either comes first: no text offers two at the same place.
        out += [(-score, cut) for cut in cuts]
    return [list(cut) for _, cut in sorted(out, key=lambda x: x[0])]


def tokenizer(pieces, scores, types, unknown, bos):
    """bos: the id that stands before a text, None: none."""
    pieces = [piece.replace(" ", BLANK) for piece in pieces]
    added = [{"id": i, "content": piece, "single_word": False, "lstrip": False, "rstrip": False, "normalized": BLANK in piece, "special": kind == CONTROL}
             for i, (piece, kind) in enumerate(zip(pieces, types)) if kind in (CONTROL, USER_DEFINED)]
    template = None
    if bos is not None:
        token, text = {"SpecialToken": {"id": pieces[bos], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}
        template = {"type": "TemplateProcessing", "single": [token, text], "pair": [token, text, token, {"Sequence": {"id": "B", "type_id": 1}}],
                    "special_tokens": {pieces[bos]: {"id": pieces[bos], "ids": [bos], "tokens": [pieces[bos]]}}}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added,
            "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": BLANK}, "pre_tokenizer": None, "post_processor": template,
            "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": BLANK}, "content": " "},
                                                         {"type": "ByteFallback"}, {"type": "Fuse"}]},
            "model": {"type": "BPE", "dropout": None, "unk_token": pieces[unknown], "continuing_subword_prefix": None, "end_of_word_suffix": None,
                      "fuse_unk": True, "byte_fallback": BYTE in types, "ignore_merges": False,
                      "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges(pieces, scores, types)}}
