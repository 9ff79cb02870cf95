import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { formatTime, parseHourRange } from '../../core/range.js';
import type { Reader } from '../../store/read/connection.js';
import {
  readHours,
  type CutEntry,
  type HourAnswer,
  type HourDecision,
  type HourFailure,
  type ServedGeneration,
} from '../../store/read/hours.js';
import { PublicationSchema, StateSchema, TimeSchema } from '../schemas.js';

/** The question as it is asked: both ends or none. */
export interface HoursAsked {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly as_of?: number | undefined;
}

const CutDocument = Type.Array(
  Type.Object({
    topic: Type.String(),
    partition: Type.Integer(),
    next_offset: Type.Integer({ description: 'clicks from this offset on are not counted' }),
  }),
);

const ServedDocument = Type.Object({
  generation: Type.Integer(),
  rule_set: Type.String({ description: 'content hash of the rule set that it was made with' }),
  checksum: Type.String({ description: 'SHA-256 over its cells in canonical order' }),
  publication: Type.Integer({ description: 'the publication that made it serve' }),
  cut: CutDocument,
});

const FailureDocument = Type.Object({
  since: TimeSchema,
  last: TimeSchema,
  times: Type.Integer({ minimum: 1, description: 'settlements in which it failed since' }),
  error: Type.String({ description: 'of the last one: a closed code, and words' }),
  workflow_id: Type.String(),
  run_id: Type.String(),
});

const DecisionDocument = Type.Object({
  reconciliation: Type.Integer({ description: 'GET /reconciliations/{id} has its cells' }),
  at: TimeSchema,
  drift: Type.Number({ description: 'share of the clicks that moved' }),
  cells_differ: Type.Integer({ minimum: 0 }),
  reason: Type.String(),
});

const HourDocument = Type.Object({
  hour: TimeSchema,
  state: StateSchema,
  revision: Type.Integer({ minimum: 0 }),
  rule_set: Type.String({ description: 'content hash of the rule set that the hour has pinned' }),
  cut_at: Type.Union([TimeSchema, Type.Null()], {
    description: 'when it was cut; null: the stream counts into it',
  }),
  cut: CutDocument,
  served: Type.Union([ServedDocument, Type.Null()], {
    description: 'the generation that serves it; null: it is counted live',
  }),
  held: Type.Union([Type.String(), Type.Null()], {
    description: 'why automatic publication keeps off it; null: it does not',
  }),
  late_waiting: Type.Integer({ minimum: 0, description: 'late clicks that nobody has examined' }),
  due: Type.Boolean({ description: 'not cut, and ready to be' }),
  causes: Type.Array(Type.Object({ cause: Type.String(), detail: Type.String() }), {
    description: 'named causes for which the live count may differ from the exact one',
  }),
  failure: Type.Union([FailureDocument, Type.Null()], {
    description: 'why settlements do not get it done; null: it is done, or none has failed',
  }),
  waiting: Type.Union([DecisionDocument, Type.Null()], {
    description: 'the comparison of a settlement that leaves it to a person; null: none does',
  }),
  alert: Type.Union([DecisionDocument, Type.Null()], {
    description: 'the comparison by which what serves was published with an alert; null: none',
  }),
});

export const HoursDocument = Type.Object(
  {
    as_of: PublicationSchema,
    watermark: Type.Union([TimeSchema, Type.Null()], {
      description: 'null: a partition that holds it back has not been read yet',
    }),
    hours: Type.Array(HourDocument),
  },
  { description: 'the hours there are, ascending; at most 1,000, the newest' },
);

/**
 * Answers how far each hour has come.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_found` (as_of), those of a read
 */
export async function answerHours(
  reader: Reader,
  asked: HoursAsked,
): Promise<Static<typeof HoursDocument>> {
  const found = await readHours(reader, rangeOf(asked), asked.as_of);
  return {
    as_of: found.asOf,
    watermark: timeOrNull(found.watermarkMs),
    hours: found.hours.map(toDocument),
  };
}

function rangeOf({ from, to }: HoursAsked) {
  if (from === undefined && to === undefined) return null;
  if (from !== undefined && to !== undefined) return parseHourRange(from, to);
  throw new TruecountError('invalid_argument', 'from and to go together', {
    hint: 'give both, or none for the newest hours',
  });
}

function toDocument(hour: HourAnswer): Static<typeof HourDocument> {
  return {
    hour: formatTime(hour.hourMs),
    state: hour.state,
    revision: hour.revision,
    rule_set: hour.ruleSet,
    cut_at: timeOrNull(hour.cutAtMs),
    cut: cutOf(hour.cut),
    served: hour.served === null ? null : servedOf(hour.served),
    held: hour.held,
    late_waiting: hour.lateWaiting,
    due: hour.due,
    causes: [...hour.causes],
    failure: hour.failure === null ? null : failureOf(hour.failure),
    waiting: hour.waiting === null ? null : decisionOf(hour.waiting),
    alert: hour.alert === null ? null : decisionOf(hour.alert),
  };
}

function servedOf(served: ServedGeneration): Static<typeof ServedDocument> {
  const { generation, ruleSet, checksum, publication, cut } = served;
  return { generation, rule_set: ruleSet, checksum, publication, cut: cutOf(cut) };
}

function failureOf(failure: HourFailure): Static<typeof FailureDocument> {
  const { sinceMs, lastMs, times, error, workflowId, runId } = failure;
  const [since, last] = [formatTime(sinceMs), formatTime(lastMs)];
  return { since, last, times, error, workflow_id: workflowId, run_id: runId };
}

function decisionOf(found: HourDecision): Static<typeof DecisionDocument> {
  const { reconciliation, atMs, drift, cellsDiffer, reason } = found;
  return { reconciliation, at: formatTime(atMs), drift, cells_differ: cellsDiffer, reason };
}

function cutOf(cut: readonly CutEntry[]): Static<typeof CutDocument> {
  return cut.map(({ topic, partition, nextOffset }) => ({
    topic,
    partition,
    next_offset: nextOffset,
  }));
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : formatTime(ms);
}
