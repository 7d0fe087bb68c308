/* What a metric is measured on, and what it answers.
 *
 * A subject is one member of a group, as its predictions or as its states of one layer. A scope is a set of its
 * templates. What several metrics need (agreement, variance sums, CKA) is made once, by the first that asks. */
#ifndef PLUMB_ANALYSIS_SCOPE_H
#define PLUMB_ANALYSIS_SCOPE_H

#include "analysis/group.h"
#include "analysis/layer.h"
#include "analysis/maps.h"
#include "analysis/metric.h"
#include "measure/agreement.h"
#include "measure/cka.h"
#include "measure/probe.h"
#include "measure/similarity.h"
#include "statistics/crossed.h"
#include "statistics/interval.h"
#include "statistics/template_variance.h"
#include "statistics/variance_components.h"
#include "statistics/variance_split.h"

enum { PL__TOP = 3 };

/* What is done to states before they are measured: a letter in the table of metrics, a name in the table of results. */
typedef enum pl__preprocessing {
    PL__CENTRED,     /* 'c', "c" */
    PL__SCALED,      /* 'z', "z": each dimension by its SD within templates */
    PL__WITHOUT_TOP, /* 't', "top3": centred, without the PL__TOP dimensions that vary most within templates; on request
                      */
    PL__LENGTH, /* 'l', "length": centred, less what the prompt's number of tokens and its square predict, on request */
    PL__PREPROCESSINGS
} pl__preprocessing;

typedef struct pl__subject {
    const pl__group *group;
    const pl__member *member;
    const pl__layer *layer; /* NULL: behaviour */
    const pl_run_map *map;  /* of the layer; NULL: none is asked for */
    const pl_processor *on; /* where products of states are made */
    size_t n, t;            /* items, templates */
    pl_arena *arena;        /* of notes and names of contrasts */
    double *items;          /* [n]: a metric's values, one an item */
    double *templates;      /* [t]: a metric's values, one a template of the scope */
    size_t n_wordings;      /* of the t templates; those that differ in label words alone are one */
    size_t *wording;        /* [t]: which, of each template */
    double *variants;       /* [t]: templates of its wording */
    /* The members whose mean it is: the one, or all whole members of the group (metrics with PL_OVER_WHOLE). */
    const pl__member *const *members;
    size_t n_members;
    /* Made when asked for. */
    bool has_variance, has_cka[PL__PREPROCESSINGS], has_sums[PL__PREPROCESSINGS];
    pl_template_variance variance; /* of all members: draws, wordings, clusters */
    bool has_margin;
    pl_crossed margin[PL_SPLIT_PARTS]; /* of the readout margin's variance (margin.c) */
    double variance_scale;             /* what its sums over clusters are divided by to be means */
    pl_cka cka[PL__PREPROCESSINGS];
    pl_side sides[PL_SIMILARITIES]; /* of items apart (calibrated.c); n 0: not made */
    bool has_probe;
    pl_probe probe;
    const char *probe_why;                     /* why there is none; "": there are no labels. NULL: there is one */
    pl_variance_sums sums[PL__PREPROCESSINGS]; /* of wordings */
} pl__subject;

typedef struct pl__scope {
    pl__subject *subject;
    pl_over over;
    const char *contrast;       /* of the table: "templates", a role, "id|ood", "a|b" */
    const char *template_name;  /* "": over several */
    size_t t;                   /* 0: PL_OVER_ITEMS */
    size_t *templates;          /* [t]: into the member's cells */
    size_t n_against, *against; /* PL_OVER_ID_OOD: the ood templates */
    char preprocessing;         /* of a layer: the one to use */
    bool is_part;               /* a template is left out of it: the number alone is asked for, no null */
    bool has_agreement;
    pl_agreement agreement;
} pl__scope;

typedef struct pl__scopes {
    size_t n;
    pl__scope *scopes;
} pl__scopes;

/* Scratch of a subject whose group, member, layer, n, t and arena are set. */
pl_status pl__subject_open(pl__subject *subject);
void pl__subject_close(pl__subject *subject);
/* Every scope that the member's templates give, in the order of pl_over. */
pl_status pl__scopes_make(pl__scopes *out, pl__subject *subject);
void pl__scopes_free(pl__scopes *scopes);

pl_status pl__scope_agreement(const pl_agreement **out, pl__scope *scope); /* t >= 2 */
pl_status pl__subject_variance(const pl_template_variance **out, pl__subject *subject);
pl__preprocessing pl__preprocessing_of(char letter); /* one of the four */
const char *pl__preprocessing_name(char letter);
bool pl__preprocessing_asked(const pl__subject *subject, char letter);
pl_status pl__subject_sums(const pl_variance_sums **out, pl__subject *subject, char preprocessing);
/* The place of a member's draw among the *n_draws of the members, and of how many orders it is. */
size_t pl__subject_draw(size_t *n_draws, size_t *n_orders, const pl__subject *subject, size_t member);
/* Clusters of the subject's first n items. */
pl_status pl__subject_clusters(pl_clusters *out, const pl__subject *subject, size_t n, pl_arena *arena);
/* Gold labels of a layer's first n items; NULL: they are not of one set of labels. The caller frees them. */
pl_status pl__subject_classes(size_t **out, const pl__subject *subject, size_t n);       /* [n] */
pl_status pl__subject_cka(const pl_cka **out, pl__subject *subject, char preprocessing); /* at least 4 items */
/* The share of CKA that length's prediction makes, in a layer whose tokens are known: HSIC_1 of what length predicts of
 * the states of two templates over sqrt of the whole states' own, mean over pairs. Not debiased: of n items a
 * prediction by two terms fits the states in part by chance. At least 4 items. */
pl_status pl__subject_cka_of_length(double *out, pl__subject *subject);
/* Of n items, the first that memory and a quadratic cost allow CKA between t conditions to take. */
size_t pl__cka_items(size_t n, size_t t);

/* What a metric says of a scope; the kind decides its interval and how draws are pooled. */
typedef enum pl__kind {
    PL__NOTHING,  /* no row: the metric does not apply */
    PL__ITEMS,    /* the mean of items[n]: crossed, pooled */
    PL__SHARE,    /* the same for 0s and 1s: Wilson unless items are in clusters; pooled as a mean */
    PL__LEFT_OUT, /* value, and items[i] without item i: crossed, pooled */
    PL__FIXED,    /* estimate with its ci_method, not pooled */
    PL__CONSTANT  /* estimate that is the same for every draw */
} pl__kind;

/* What subject->templates holds after a metric was measured. */
typedef enum pl__template_values {
    PL__NO_TEMPLATES,       /* nothing: the number says nothing about other templates */
    PL__TEMPLATE_MEANS,     /* [t + n_against]: under each template of the scope, then of the other side */
    PL__TEMPLATES_LEFT_OUT, /* [t]: without each template of the scope */
    PL__WORDINGS_LEFT_OUT   /* [n_wordings]: without each wording of the subject, which are the scope */
} pl__template_values;

typedef struct pl__measured {
    pl__kind kind;
    double value;
    size_t n; /* items that it is made of: the subject's, unless the metric says fewer */
    pl__template_values templates;
    double high;         /* the range's end, for pseudo-items: the metric's, unless it says less */
    double reach[2];     /* what the number itself can be (statistics/crossed.h); equal: not known */
    pl_crossed estimate; /* PL__FIXED, PL__CONSTANT */
    const char *ci_method;
    double null_mean, null_sd, null_q95, p;  /* NaN: none */
    bool tested;                             /* null_mean is a hypothesis: p comes from the interval */
    bool leave_out;                          /* whoever asked is to ask again without each template */
    bool no_interval;                        /* the value alone; why_empty says why */
    const char *withheld;                    /* why neither it nor the mean over draws has an interval; NULL */
    const char *contrast;                    /* NULL: the scope's */
    const char *note, *why_empty, *null_why; /* "": nothing to say; null_why: why there is no null */
    bool unpooled;                           /* a row of its own only */
} pl__measured;

/* The largest share of pairs of t predictions of q labels that can differ, but for what t divided by q leaves over:
 * (1 - 1/q) t/(t - 1), 1 at most; for two labels t/(2 (t - 1)). */
double pl__flips_most(size_t t, size_t q);
/* What an interval generalises over: "items, templates", ..; "" without one. */
const char *pl__generalises(const pl_crossed *interval);
/* An estimate that is no more than its value. */
pl_crossed pl__only_value(double value);
/* What a metric says before it is measured: nothing. */
pl__measured pl__measured_none(const pl__scope *scope, double high);
/* Whether the subject has one wording alone: then the answer is a row without a value that says so. */
bool pl__measured_one_wording(pl__measured *out, const pl__subject *subject);
/* Adds to the note. */
pl_status pl__measured_note(pl__measured *m, const pl__scope *scope, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The wobble (statistics/variance_components.h) of items and wordings whose sums these are. */
void pl__measured_wobble(pl__measured *out, pl__subject *subject, const pl_variance_sums *sums);

#define X(id, name, unit, low, high, ends, preprocessing, over, function, ...)                                         \
    pl_status pl__metric_##function(pl__measured *out, pl__scope *scope);
PL_METRIC_TABLE(X)
#undef X

/* Whether the metric has something to say of texts that are scored by themselves: most are about answers. */
bool pl__is_of_texts(pl_metric_id id);

#endif
