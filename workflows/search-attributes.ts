import { defineSearchAttributeKey } from '@temporalio/common';

/**
 * The search attributes of all workflows (SQL visibility has room for 10 keywords, 3 datetimes and 3
 * doubles per namespace). They are registered when a worker starts, and by the embedded stack.
 */
export const STAGE = defineSearchAttributeKey('TruecountStage', 'KEYWORD');
/** `schedule`, `person`, or the type of the parent workflow. */
export const TRIGGER = defineSearchAttributeKey('TruecountTrigger', 'KEYWORD');
/** How it ended, such as `published`, `unchanged`, `held`, `failed`, `cancelled`. */
export const OUTCOME = defineSearchAttributeKey('TruecountOutcome', 'KEYWORD');
export const FROM = defineSearchAttributeKey('TruecountFrom', 'DATETIME');
export const TO = defineSearchAttributeKey('TruecountTo', 'DATETIME');
/** Largest drift of an hour of the run. */
export const DRIFT = defineSearchAttributeKey('TruecountDrift', 'DOUBLE');

export const SEARCH_ATTRIBUTES = [STAGE, TRIGGER, OUTCOME, FROM, TO, DRIFT] as const;
