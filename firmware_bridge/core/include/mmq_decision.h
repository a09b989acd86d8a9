/* SPDX-License-Identifier: Apache-2.0 */
/* mmq_decision.h: from windows to decisions: when one is due, what is said, and when and why nothing is.
 *
 * The whole program of a device:
 *     mmq_bridge_init(mem, sizeof mem, &mmq_spec, &bridge);                    // mmq_bridge.h
 *     mmq_decider_init(&decider, bridge, &mmq_rules);                          // mmq_rules: written into a bundle
 *     mmq_bridge_push(bridge, MMQ_SPEC_PPG, samples, frames, time_s);          // whenever a sensor delivers
 *     while (mmq_step(&decider, &runner, &decision) == MMQ_OK) {              // window, network, decision
 *         if (decision.abstention == MMQ_DECIDED) act(decision.best[0], decision.confidence[0]);
 *     }
 *
 * Who runs the network by other means (TFLite Micro, LiteRT) takes the same way in two halves:
 *     while (mmq_decision_due(&decider, &decision) == MMQ_OK) {
 *         if (decision.abstention == MMQ_DECIDED) {                            // nothing stands against it
 *             mmq_bridge_window_i8_at(bridge, decision.number, features, presence);
 *             ... run the network ...
 *             mmq_decide_i8(&decider, logits, &decision);                      // or mmq_decide() with float logits
 *         }
 *         act(&decision);
 *     }
 *
 * One rule for when a decision is due: at the end of every token whose number + 1 is a multiple of every_tokens, about
 * the window that this token ends, oldest first, however many tokens closed at once. Where so many closed that the
 * whole window is no longer kept (all but those of the last MMQ_BEHIND + 1 tokens), nothing is decided any more.
 * The same rules as in mmq_bridge.h: float32, no allocation, no libm, the same bits on every target.
 */
#ifndef MMQ_DECISION_H
#define MMQ_DECISION_H

#include "mmq_bridge.h"
#include "mmq_personal.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MMQ_MAX_TASKS 16u
#define MMQ_MAX_OUTPUTS 64u /* classes of all tasks together */

/* One task of the model. */
typedef struct {
    uint32_t classes;     /* 2 and more */
    int32_t zero_point;   /* of int8 logits: logit = (q - zero_point) * scale */
    float scale;          /* 0 where the model's logits are float */
    float temperature;    /* logits are divided by it */
    float min_confidence; /* 0 to 1: with a likeliest class less likely the decision abstains */
} mmq_task_t;

/* How logits become a decision, written into a bundle. The tasks belong to the caller and must outlive what uses them.
 * Logits are those of the first task, then those of the next: an array of all classes. */
typedef struct {
    uint32_t n_tasks;
    uint32_t every_tokens;   /* one decision every so many tokens */
    float min_present_share; /* 0 to 1: with a smaller share of present tokens in the window the decision abstains */
    const mmq_task_t *tasks; /* [n_tasks] */
} mmq_rules_t;

/* Why a decision is not to be acted on. */
typedef enum {
    MMQ_DECIDED = 0,        /* it may be */
    MMQ_ABSTAIN_ENROLLING,  /* the wearer's baseline is still being learned: tokens_left */
    MMQ_ABSTAIN_FILLING,    /* the first window is not full: tokens_left */
    MMQ_ABSTAIN_ABSENT,     /* too little present: present_share */
    MMQ_ABSTAIN_UNSURE,     /* a likeliest class is under its task's threshold: unsure_task */
    MMQ_ABSTAIN_NO_NUMBERS, /* a logit is NaN or infinite */
    MMQ_ABSTENTIONS
} mmq_abstention_t;

/* One decision. Bit m of a mask is modality m, or bit t task t. */
typedef struct {
    int64_t number;           /* of the window's last token */
    double time_s;            /* its end, after the bridge's second 0 */
    uint32_t abstention;      /* mmq_abstention_t */
    uint32_t tokens;          /* in the window: T, or fewer before so many closed */
    uint32_t tokens_left;     /* enrolling, filling: so many at least must still come; enrolments from version 3 on count
                               * present ones, of the spec's enrolment_tokens */
    uint32_t unsure_task;     /* the first task under its threshold */
    uint32_t sure;            /* mask of the tasks that reach it */
    uint32_t not_enrolled;    /* mask of the modalities of which a token of the window was normalised by the population;
                               * from version 3 on, once enrolled */
    uint32_t n_probabilities; /* all tasks' classes, or 0 where the network was not run */
    float present_share;      /* of all modalities' tokens in the window */
    uint16_t present[MMQ_MAX_MODALITIES]; /* tokens of the window in which each was present */
    uint16_t reasons[MMQ_MAX_MODALITIES]; /* why it is absent from the newest one: MMQ_WHY_*, or 0 */
    uint16_t best[MMQ_MAX_TASKS];         /* the likeliest class, the first of equals */
    float confidence[MMQ_MAX_TASKS];      /* and its probability */
    float probability[MMQ_MAX_OUTPUTS];
} mmq_decision_t;

/* Decides for one bridge. To be read, not written. */
typedef struct mmq_decider mmq_decider_t;
struct mmq_decider {
    mmq_bridge_t *bridge;
    const mmq_rules_t *rules;
    int64_t seen; /* tokens that were asked about */
    /* of the personal head, where there is one */
    void (*follow)(mmq_decider_t *decider, int64_t number);
    const mmq_head_t *head;
    const mmq_head_state_t *mine;
    uint32_t task;
    uint32_t summarised;          /* whether u is one */
    float u[MMQ_HEAD_COMPONENTS]; /* components of the newest window that was due: mmq_mark_summary() takes them, */
    float logit;                  /* and its logit, uncorrected, at the temperature */
    float shift;                  /* what was added to it */
};

/* Begin to decide: about tokens that close from now on. Errors: MMQ_NULL; MMQ_BAD_SPEC (rules that cannot be). */
mmq_status_t mmq_decider_init(mmq_decider_t *decider, mmq_bridge_t *bridge, const mmq_rules_t *rules);

/* Correct the decisions of a task of two classes by what the wearer marked. `mine` may change between two decisions.
 * Errors: MMQ_NULL; MMQ_BAD_SPEC (no such task, or tables of another front end). On error nothing is changed. */
mmq_status_t mmq_decider_personal(mmq_decider_t *decider, const mmq_head_t *head, const mmq_head_state_t *mine,
                                  uint32_t task);

/* The next decision that is due, with all that is known before the network is run. With MMQ_DECIDED it is to be run on
 * the window of `decision->number`; anything else is the decision already.
 * Errors: MMQ_NULL, MMQ_NO_TOKEN (none is due). */
mmq_status_t mmq_decision_due(mmq_decider_t *decider, mmq_decision_t *decision);

/* Finish a decision that was due. Of each task, in this order, in float32: z = logit / temperature; of the personal
 * head's task z[1] + shift; top = the greatest z; e = mmq_expf(z - top); sum of e from the first class on; e / sum.
 * Errors: MMQ_NULL. Logits that are no numbers make it abstain. */
mmq_status_t mmq_decide(mmq_decider_t *decider, const float *logits, mmq_decision_t *decision);
mmq_status_t mmq_decide_i8(mmq_decider_t *decider, const int8_t *logits, mmq_decision_t *decision);

/* Run the network on a window: features [T][F], presence [T][M], logits of all tasks. Returns 0 when it is done,
 * above 0 when it wants to be called again with the same arrays (a slice of its work is done), below 0 when it failed. */
typedef int (*mmq_run_t)(void *context, const int8_t *features, const int8_t *presence, int8_t *logits);

/* A network and its arrays, all the caller's. */
typedef struct {
    mmq_run_t run;
    void *context;
    int8_t *features; /* [T][F] */
    int8_t *presence; /* [T][M] */
    int8_t *logits;   /* [all classes] */
    uint32_t running; /* 0 at first */
} mmq_runner_t;

/* Make the next decision that is due: window, network, decision. With MMQ_BUSY the network wants to go on: call again
 * with the same `decision`; samples may be pushed in between.
 * Errors: MMQ_NULL; MMQ_NO_TOKEN (none is due); MMQ_BUSY; MMQ_NO_NETWORK (it failed: this decision is given up);
 * MMQ_NOT_QUANTISED. */
mmq_status_t mmq_step(mmq_decider_t *decider, mmq_runner_t *runner, mmq_decision_t *decision);

/* What a display shows: the average of the probabilities of the last seconds. All the caller's. */
typedef struct {
    double display_s; /* 0 shows each decision as it is */
    double *times_s;  /* [rows]: room for so many decisions; with more of them the oldest go */
    float *kept;      /* [rows][MMQ_MAX_OUTPUTS], or fewer columns: `columns` */
    uint32_t rows, columns, count, first; /* count and first: 0 at first */
} mmq_display_t;

/* Average a decision with those before it that were made less than display_s earlier, and judge it anew: `shown` is the
 * decision with probabilities, likeliest classes, sure, unsure_task and abstention of the average. A decision without
 * probabilities is shown as it is and not averaged. In float32, from the oldest on: mean += (p - mean) / how many.
 * Errors: MMQ_NULL, MMQ_TOO_SMALL (no row, or fewer columns than probabilities). */
mmq_status_t mmq_display_show(mmq_display_t *display, const mmq_rules_t *rules, const mmq_decision_t *decision,
                              mmq_decision_t *shown);

/* How much each sensor would help an undecided wearer, measured on validation people by taking sensors away (`mmq-tf export
 * --next-sensor`); a simulation, for nobody's sensors were switched on for it. gain[mask * n_modalities + m]: with the
 * sensors of `mask` present, so many 255ths does the right class become likelier with m, on the mean of the undecided
 * windows; 0 where m helps none of them, is in the mask, or too few windows tell. */
#define MMQ_NEXT_MODALITIES 8u /* at most */
typedef struct {
    uint32_t n_modalities;
    const uint8_t *gain; /* [1 << n_modalities][n_modalities] */
} mmq_next_t;

/* Which of the sensors `can` (bit m: it could be switched on) would help a decision that abstains for want of confidence
 * or of sensors most; -1 where none would, there is no table, or the decision abstains for something else or not at all.
 * A sensor counts as present where it is in half of the window's tokens. */
int32_t mmq_next_sensor(const mmq_next_t *table, const mmq_decision_t *decision, uint32_t can);

/* In words: "enrolling", "too little present", ...; "" for what is none. */
const char *mmq_abstention_name(uint32_t abstention);

#ifdef __cplusplus
}
#endif
#endif
