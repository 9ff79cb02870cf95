/** Hours of a replay in work at the same time, at most. */
export const REPLAY_PARALLEL_MAX = 16;
