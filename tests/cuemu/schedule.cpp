/* Schedules in turn and by a seed. A turn is a warp's: those of its lanes that may run when it begins. */
#include "schedule.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numeric>
#include <utility>

#include "cuemu.h"

namespace cuemu
{

static uint64_t mixed(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t Dice::draw()
{
    return mixed(state += 0x9e3779b97f4a7c15u);
}

static uint64_t read_seed()
{
    const char *text = getenv("CUEMU_SEED");
    if (!text || !*text) return 0;
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (errno || *end || !isdigit((unsigned char)*text)) {
        fprintf(stderr, "CUEMU ERROR: CUEMU_SEED is '%s', expected a whole number from 0 on\n", text);
        abort();
    }
    if (value) fprintf(stderr, "CUEMU SEED %llu\n", (unsigned long long)value);
    return value;
}

uint64_t seed()
{
    static const uint64_t value = read_seed();
    return value;
}

/* Of a launch and what is drawn for it: 0 the order of blocks, 1 + b block b, ~p the processors of the pth pair. */
static Dice dice_of(uint64_t launch, uint64_t what)
{
    return Dice{mixed(mixed(mixed(seed()) + launch) + what)};
}

std::vector<uint32_t> order_of_blocks(uint64_t launch, uint64_t n_blocks)
{
    std::vector<uint32_t> order;
    if (!seed() || n_blocks < 2 || n_blocks > UINT32_MAX) return order;
    order.resize(n_blocks);
    std::iota(order.begin(), order.end(), 0u);
    Dice dice = dice_of(launch, 0);
    for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[dice.below((unsigned)i)]);
    return order;
}

int processor_of_block(uint64_t launch, uint64_t place)
{
    return (int)((dice_of(launch, ~(place / 2)).draw() ^ place) & 1);
}

void Schedule::begin(uint64_t launch, uint64_t block, int n_threads)
{
    const int n_warps = (n_threads + WARP - 1) / WARP;
    const bool seeded = seed() != 0;
    if (seeded) {
        dice = dice_of(launch, 1 + block);
        static const Habit habits[] = {Habit::AHEAD, Habit::STOPPED, Habit::ANY};
        static const Lanes orders[] = {Lanes::UP, Lanes::DOWN, Lanes::ANY};
        habit = habits[dice.below(3)];
        lanes = orders[dice.below(3)];
    }
    for (int w = 0; w < n_warps; w++) {
        const int n_lanes = n_threads - w * WARP;
        const uint32_t all = n_lanes < WARP ? (1u << n_lanes) - 1 : ~0u;
        ready[w] = seeded ? all : 0;
        fresh[w] = seeded ? 0 : all;
    }
    const uint32_t warps = n_warps < MAX_WARPS ? (1u << n_warps) - 1 : ~0u;
    ready_warps = seeded ? warps : 0;
    fresh_warps = seeded ? 0 : warps;
    warp = chosen = -1;
    turn = 0;
}

void Schedule::make_ready(int thread)
{
    ready[thread / WARP] |= 1u << thread % WARP;
    ready_warps |= 1u << thread / WARP;
}

void Schedule::meet()
{
    warp = -1;
    turn = 0;
}

int Schedule::any_of(uint32_t bits)
{
    for (unsigned left = dice.below((unsigned)__builtin_popcount(bits)); left; left--) bits &= bits - 1;
    return __builtin_ctz(bits);
}

int Schedule::choose_warp()
{
    if (habit == Habit::IN_TURN) {
        const uint32_t later = warp < 0 ? ready_warps : ready_warps & ~((2u << warp) - 1);
        return __builtin_ctz(later ? later : ready_warps);
    }
    const bool stays = habit == Habit::AHEAD || (habit == Habit::STOPPED && dice.below(8));
    return stays && warp >= 0 && ready_warps >> warp & 1 ? warp : any_of(ready_warps);
}

int Schedule::choose()
{
    if (!turn) {
        if (!ready_warps && !fresh_warps) return -1;
        if (!ready_warps) {
            const int first = __builtin_ctz(fresh_warps);
            fresh_warps &= fresh_warps - 1;
            ready_warps = 1u << first;
            std::swap(ready[first], fresh[first]);
        }
        warp = choose_warp();
        turn = habit == Habit::ANY ? 1u << any_of(ready[warp]) : ready[warp];
    }
    const int lane = lanes == Lanes::UP     ? __builtin_ctz(turn)
                     : lanes == Lanes::DOWN ? WARP - 1 - __builtin_clz(turn)
                                            : any_of(turn);
    turn &= ~(1u << lane);
    ready[warp] &= ~(1u << lane);
    if (!ready[warp]) ready_warps &= ~(1u << warp);
    return warp * WARP + lane;
}

int Schedule::peek()
{
    if (chosen < 0) chosen = choose();
    return chosen;
}

int Schedule::take()
{
    const int thread = peek();
    chosen = -1;
    return thread;
}

bool Schedule::arrives_at_once()
{
    return habit != Habit::IN_TURN && dice.below(2);
}

} // namespace cuemu
