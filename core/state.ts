/**
 * How far a count can be trusted, weakest first. `open`: the minute's end is above the watermark;
 * `provisional`: the watermark has passed it and it is counted live. A range has the weakest state
 * of its minutes. Later states come with generations.
 */
export const MINUTE_STATES = ['open', 'provisional'] as const;

export type MinuteState = (typeof MINUTE_STATES)[number];
