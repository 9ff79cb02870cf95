import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTE_TYPES } from './search-attribute-types.js';

/** They are registered when a worker starts, and by the embedded stack. */
export const STAGE = key('TruecountStage');
/** `schedule`, `person`, or the parent workflow (`settle`, `replay`). */
export const TRIGGER = key('TruecountTrigger');
/** How it ended, such as `published`, `unchanged`, `held`, `failed`, `cancelled`. */
export const OUTCOME = key('TruecountOutcome');
export const FROM = key('TruecountFrom');
export const TO = key('TruecountTo');
/** Largest drift of an hour of the run. */
export const DRIFT = key('TruecountDrift');

function key<Name extends keyof typeof SEARCH_ATTRIBUTE_TYPES>(name: Name) {
  return defineSearchAttributeKey(name, SEARCH_ATTRIBUTE_TYPES[name]);
}
