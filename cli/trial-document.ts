import { formatTime } from '../core/range.js';
import type { Click } from '../core/click/click.js';
import type { Trace, TracedValue } from '../core/rules/trace.js';
import type { Trial } from '../core/rules/trial.js';

/** What becomes of a record as one JSON document; texts are `{kind: value|absent|other, text}`. */
export function trialDocument(trial: Trial): object {
  const { line, fate } = trial;
  if (trial.fate === 'quarantined') {
    return { line, fate, reason: trial.reason, detail: trial.detail };
  }
  const click = clickDocument(trial.click);
  if (trial.fate === 'duplicate') return { line, fate, ...click, of_line: trial.of };
  return { line, fate, ...click, ...traceDocument(trial.trace, trial.fate === 'counted') };
}

function clickDocument({ adId, eventId, eventMs }: Click): object {
  return { ad_id: adId, event_id: eventId, timestamp: formatTime(eventMs) };
}

function traceDocument(trace: Trace, counted: boolean): object {
  return {
    reason: trace.reason,
    cells: counted ? trace.filters : [],
    values: trace.values.map(valueDocument),
    dimensions: trace.dimensions.map(valueDocument),
    filters: trace.filtered,
    caps:
      trace.caps?.map(({ cap, value, before, above }) => ({ ...cap, value, before, above })) ??
      null,
  };
}

function valueDocument({ countedAs, ...value }: TracedValue): object {
  return { ...value, counted_as: countedAs };
}
