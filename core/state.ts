/**
 * How far a count can be trusted, weakest first. `open`: the minute's end is above the watermark;
 * `provisional`: the watermark has passed it and it is counted live; `final`: a generation serves it,
 * and it changes only with a new revision. A range has the weakest state of its minutes.
 */
export const MINUTE_STATES = ['open', 'provisional', 'final'] as const;

export type MinuteState = (typeof MINUTE_STATES)[number];
