/* Policies replayed on finished runs (analysis/policy.h): printed, and as CSV files. */
#ifndef PLUMB_REPORT_POLICIES_H
#define PLUMB_REPORT_POLICIES_H

#include <stdio.h>

#include "analysis/policy.h"
#include "analysis/policy_signal.h"
#include "base/json.h"

pl_status pl_report_policies_print(FILE *out, const pl_policy_cases *cases, const pl_policy_table *table,
                                   const pl_signal_table *signals);
/* policies.csv, policy_signals.csv and policy_cells.csv in a folder that is there. */
pl_status pl_report_policies_csv(const char *folder, const pl_policy_cases *cases, const pl_policy_table *table,
                                 const pl_signal_table *signals);
/* {"policies": [...], "signals": [...], "cells": [...]}: the fields of the files. */
pl_status pl_report_policies_json(json_t **out, const pl_policy_cases *cases, const pl_policy_table *table,
                                  const pl_signal_table *signals);

#endif
