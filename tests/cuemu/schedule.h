/* The schedule of a block: which of its threads runs next, and which of its asynchronous copies arrive at once.
 *
 * A kernel is right only if it is right in every schedule that the hardware may choose; the emulator takes one of them.
 * CUEMU_SEED (environment) says which:
 *
 *   unset or 0   warps take turns, lanes and blocks run in order, copies arrive when they are waited for
 *   1, 2, ...    drawn from the seed: the order of the blocks, and for each block one of three habits (one warp runs
 *                ahead as far as it can, or does so and is stopped now and then, or any thread runs at any time), the
 *                order of the lanes, and for each copy whether it arrives when asked for or when waited for
 *
 * The same program with the same arguments and the same seed has the same schedule. The seed stands on stderr before
 * the first kernel, and in every error of the emulator. */
#ifndef CUEMU_SCHEDULE_H
#define CUEMU_SCHEDULE_H

#include <stdint.h>

#include <vector>

namespace cuemu
{

/* Pseudo-random numbers (splitmix64), the same on every machine. */
struct Dice {
    uint64_t state = 0;

    uint64_t draw();
    unsigned below(unsigned n) /* 0..n - 1; n of at least 1 */
    {
        return (unsigned)((draw() >> 32) * n >> 32);
    }
};

uint64_t seed(); /* CUEMU_SEED; ends the process when it is no number */

constexpr int MAX_WARPS = 32;

class Schedule
{
  public:
    /* Of block number `block` of the launch-th grid of the process; its n_threads threads have not started. */
    void begin(uint64_t launch, uint64_t block, int n_threads);
    void make_ready(int thread);
    /* All of the block have met: the next turn may be anybody's. */
    void meet();
    int peek(); /* who runs next: its linear number, -1 when all wait or have ended */
    int take(); /* the same, which then runs */
    bool arrives_at_once();

  private:
    enum class Habit { IN_TURN, AHEAD, STOPPED, ANY } habit = Habit::IN_TURN;
    enum class Lanes { UP, DOWN, ANY } lanes = Lanes::UP;
    Dice dice;
    uint32_t ready[MAX_WARPS];                 /* lanes that may run, a bit each */
    uint32_t fresh[MAX_WARPS];                 /* in turn only: lanes that start once nobody else may run */
    uint32_t ready_warps = 0, fresh_warps = 0; /* those with any */
    int warp = -1;                             /* whose turn it is, and which of its lanes still have theirs */
    uint32_t turn = 0;
    int chosen = -1;

    int any_of(uint32_t bits);
    int choose_warp();
    int choose();
};

/* The order in which a launch's blocks run; empty: ascending. */
std::vector<uint32_t> order_of_blocks(uint64_t launch, uint64_t n_blocks);
/* Which of two processors runs the block at this place of the order: of two neighbours one each, drawn for every two.
 */
int processor_of_block(uint64_t launch, uint64_t place);

} // namespace cuemu

#endif
