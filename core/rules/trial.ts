import { parseClick } from '../click/parse.js';
import type { Click } from '../click/click.js';
import type { RejectReason } from '../click/reasons.js';
import { hourOf } from '../time.js';
import type { RuleSet } from './rule-set.js';
import { TraceInOrder } from './trace.js';
import type { Trace } from './trace.js';

/** What becomes of one record, and why. `line` names it. */
export type Trial = { readonly line: number } & (
  | {
      readonly fate: 'counted' | 'filtered';
      readonly click: Click;
      readonly trace: Trace;
    }
  | {
      readonly fate: 'duplicate';
      readonly click: Click;
      /** The line that it repeats. */
      readonly of: number;
    }
  | { readonly fate: 'quarantined'; readonly reason: RejectReason; readonly detail: string }
);

/** Tries a rule set on records in log order, all of one partition, of hours that are not cut. */
export class TrialRun {
  private readonly traces: TraceInOrder;
  /** Line of the first click of each hour, ad and event id. */
  private readonly seen = new Map<string, number>();

  constructor(ruleSet: RuleSet) {
    this.traces = new TraceInOrder(ruleSet);
  }

  /** Takes the next record. When it would be appended is not known, so none is in the future. */
  take(record: Uint8Array, line: number): Trial {
    const read = parseClick(record, Infinity, this.traces.fields);
    if (read.kind === 'rejected') {
      return { line, fate: 'quarantined', reason: read.reason, detail: read.detail };
    }
    const { click } = read;
    const id = [String(hourOf(click.eventMs)), click.adId, click.eventId].join('\n');
    const first = this.seen.get(id);
    if (first !== undefined) return { line, fate: 'duplicate', click, of: first };
    this.seen.set(id, line);
    const trace = this.traces.trace(click, '');
    return { line, fate: trace.reason === null ? 'counted' : 'filtered', click, trace };
  }
}
