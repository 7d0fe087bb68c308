/* Units of a plan while it is made. Shared inside the folder. */
#ifndef PLUMB_EXPERIMENT_PLAN_PARTS_H
#define PLUMB_EXPERIMENT_PLAN_PARTS_H

#include "experiment/plan.h"

/* The units that are there already, by id: open addressing; the ids are hashes themselves. */
typedef struct pl__id_set {
    size_t *slots; /* [capacity] index of a unit + 1; 0: empty */
    size_t capacity;
} pl__id_set;

/* All that making units needs. */
typedef struct pl__maker {
    pl_plan *plan;
    size_t capacity; /* of plan->units */
    pl__id_set ids;
} pl__maker;

/* Adds a unit, which gets its id and cost here, or finds the one that is the same. *index: its place. */
pl_status pl__plan_add(pl__maker *m, pl_plan_unit unit, size_t *index);
/* Of a unit but for its own id; the plan has the unit that it evaluates. */
pl_status pl__plan_id(char id[PL_HASH_TEXT], const pl_plan *plan, const pl_plan_unit *unit);

/* Opens a task file for the plan; what is half open is freed with the plan. */
pl_status pl__plan_open_task(pl_plan *plan, pl_plan_task *task, const char *path);
/* What its items and pool have in common, for people. */
pl_status pl__plan_note_rows(pl_plan *plan, const pl_plan_task *task);
/* Wordings of the role: templates that differ in label words only are one, as in the analysis. */
size_t pl__plan_count_wordings(const pl_plan_task *task, pl_role role);
/* The choices of the i-th evaluated item, as the task's first template has them. */
pl_status pl__plan_choices(const char ***out, size_t *n, const pl_plan_task *task, size_t i, pl_arena *arena);
/* What the task's kind does not allow of the arm, which all its units would say. */
pl_status pl__plan_check_kind(const pl_plan *plan, const pl_plan_unit *unit);
/* A line that who runs the plan should read; not copied. */
pl_status pl__plan_note(pl_plan *plan, const char *line);

/* The cells of an arm that learns, for the model, task and arm of `unit`. */
pl_status pl__plan_learning(pl__maker *m, pl_plan_unit unit);
/* PL_E_INPUT when two units would be one row of every table: arms that differ in nothing that a table shows. */
pl_status pl__plan_check_conditions(const pl_plan *plan);
/* PL_E_INPUT when a unit that is there evaluates for an arm of another name: it has one place in
 * the tables. */
pl_status pl__plan_check_shared(const pl_plan *plan, const pl_plan_unit *there, const pl_plan_unit *unit);

/* How many units those are, at most. */
double pl__plan_count_learning(const pl_spec_arm *arm, const pl_plan_task *task);

#endif
