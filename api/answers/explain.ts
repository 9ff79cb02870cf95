import Type, { type Static } from 'typebox';
import type { Cut } from '../../core/cut.js';
import { TruecountError } from '../../core/errors.js';
import type { CellExplanation, CellFlow, CellVerification } from '../../core/explain.js';
import { parseAdId, parseFilterId } from '../../core/question.js';
import { formatTime, parseMinute } from '../../core/range.js';
import { checkDimension } from '../../store/read/dimensions.js';
import type { Reader } from '../../store/read/connection.js';
import { explainCell } from '../../store/read/explain.js';
import { StateSchema, TimeSchema } from '../schemas.js';

/** The question as it is asked, over HTTP or on the command line. */
export interface ExplainAsked {
  readonly ad_id: string;
  readonly minute: string;
  readonly filter_id?: string | undefined;
  readonly as_of?: number | undefined;
  /** Recompute the cell from the lake. */
  readonly verify?: boolean | undefined;
  /** Counted clicks to list, at most; more than 0 needs `verify`. */
  readonly clicks?: number | undefined;
}

/** Computes a cell again from the files of its explanation. */
export type VerifyCell = (
  reader: Reader,
  explanation: CellExplanation,
  clicksMax: number,
) => Promise<CellVerification>;

const Count = Type.Integer({ minimum: 0 });

const CutSchema = Type.Array(
  Type.Object({ topic: Type.String(), partition: Type.Integer(), next_offset: Count }),
);

const FilteredBySchema = Type.Record(Type.String(), Count, {
  description: 'the filtered clicks by the reason that the rule set gives; they add up',
});

const FlowSchema = Type.Object(
  {
    received: Count,
    duplicates: Count,
    filtered: Count,
    filtered_by: FilteredBySchema,
    not_matching: Count,
    value: Count,
    late: Type.Integer({ minimum: 0, description: 'of the value: came after the hour was cut' }),
  },
  { description: 'value = received - duplicates - filtered - not_matching' },
);

const ClickSchema = Type.Object({
  topic: Type.String(),
  partition: Type.Integer(),
  offset: Count,
  appended_at: TimeSchema,
  timestamp: TimeSchema,
  event_id: Type.String(),
  late: Type.Boolean(),
});

const FileSchema = Type.Object({
  key: Type.String(),
  bytes: Count,
  sha256: Type.String(),
  rows: Count,
  rows_of_hour: Count,
  bucket: Count,
  buckets: Count,
  offsets: Type.Array(
    Type.Object({
      topic: Type.String(),
      partition: Type.Integer(),
      from: Count,
      to: Type.Integer({ minimum: 0, description: 'not in it' }),
      rows: Count,
    }),
  ),
});

const PublicationSchema = Type.Object({
  publication: Count,
  kind: Type.String(),
  revision: Count,
  at: TimeSchema,
  actor: Type.String(),
  reason: Type.String(),
  rule_set: Type.String(),
  inputs: Type.String({ description: 'hash of the inputs of the generation it is about' }),
  reconciliation: Type.Union([
    Type.Null(),
    Type.Object({
      id: Count,
      cells_differ: Count,
      drift: Type.Number({ description: 'share of clicks that moved' }),
      decision: Type.String(),
    }),
  ]),
});

export const ExplainDocument = Type.Object(
  {
    ad_id: Type.String(),
    minute: TimeSchema,
    filter_id: Type.Optional(Type.String()),
    value: Count,
    state: StateSchema,
    revision: Count,
    as_of: Type.Integer({ minimum: 0, description: 'the publication number that was read' }),
    rule_set: Type.String({ description: 'content hash of the rule set it is counted by' }),
    counted_by: Type.Union(
      [Type.Literal('generation'), Type.Literal('cut'), Type.Literal('stream')],
      { description: 'whose position `cut` is: the generation’s, the hour’s or the stream’s' },
    ),
    cut: CutSchema,
    generation: Type.Union([
      Type.Null(),
      Type.Object({
        id: Count,
        inputs: Type.String({ description: 'hash of hour, rule set and cut' }),
        checksum: Type.String({ description: 'SHA-256 over its cells' }),
        built_by: Type.String(),
        built_at: TimeSchema,
      }),
    ]),
    minute_of_all_ads: Type.Object(
      {
        ...{ received: Count, duplicates: Count, filtered: Count, filtered_by: FilteredBySchema },
        ...{ counted: Count, late: Count },
      },
      { description: 'what is stored of the minute; of one ad only its counts are' },
    ),
    late: Type.Object({
      examined: Type.Integer({
        minimum: 0,
        description: 'looked at: counted, filtered, or duplicates',
      }),
      waiting: Type.Integer({ minimum: 0, description: 'not in the value' }),
    }),
    files: Type.Array(FileSchema, { description: 'those that may hold clicks of the ad' }),
    publications: Type.Array(PublicationSchema, {
      description: 'every entry of the ledger about the hour, ascending',
    }),
    causes: Type.Array(Type.Object({ cause: Type.String(), detail: Type.String() })),
    verification: Type.Optional(
      Type.Object({
        verified: Type.Union([Type.Boolean(), Type.Null()], {
          description: 'null: it could not be said, and `why` says why',
        }),
        why: Type.Union([Type.String(), Type.Null()]),
        stored: Count,
        recomputed: Type.Union([FlowSchema, Type.Null()]),
        files_read: Count,
      }),
    ),
    clicks: Type.Optional(
      Type.Array(ClickSchema, {
        description: 'the first that are counted, in the order of the log',
      }),
    ),
  },
  { description: 'where a number comes from' },
);

/**
 * Explains one cell.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_found` (as_of), `collected`, those
 * of a read; with `verify` `component_unavailable` where there is no lake to ask, and those of the lake
 */
export async function answerExplain(
  reader: Reader,
  asked: ExplainAsked,
  verifyCell?: VerifyCell,
): Promise<Static<typeof ExplainDocument>> {
  const cell = {
    adId: parseAdId(asked.ad_id),
    minuteMs: parseMinute('minute', asked.minute),
    filter: parseFilterId(asked.filter_id),
  };
  const found = await explainCell(reader, cell, asked.as_of);
  if (found.value === 0) await checkDimension(reader, cell.filter);
  const document = toDocument(found);
  const clicksMax = asked.clicks ?? 0;
  if (asked.verify !== true && clicksMax === 0) return document;
  if (verifyCell === undefined) {
    throw new TruecountError('component_unavailable', 'this service has no lake to verify with', {
      hint: 'npx truecount explain AD MINUTE --verify',
    });
  }
  const result = await verifyCell(reader, found, clicksMax);
  return {
    ...document,
    verification: {
      verified: result.verified,
      why: result.why,
      stored: found.value,
      recomputed: result.flow === null ? null : flow(result.flow),
      files_read: result.filesRead,
    },
    ...(clicksMax === 0 ? {} : { clicks: result.clicks.map(click) }),
  };
}

function toDocument(found: CellExplanation): Static<typeof ExplainDocument> {
  const { generation, minute } = found;
  return {
    ad_id: found.adId,
    minute: formatTime(found.minuteMs),
    ...(found.filter === '' ? {} : { filter_id: found.filter }),
    value: found.value,
    state: found.state,
    revision: found.revision,
    as_of: found.asOf,
    rule_set: found.ruleSet,
    counted_by: found.countedBy,
    cut: cutDocument(found.cut),
    generation:
      generation === null
        ? null
        : {
            id: generation.id,
            inputs: generation.inputs,
            checksum: generation.checksum,
            built_by: generation.builtBy,
            built_at: formatTime(generation.builtAtMs),
          },
    minute_of_all_ads: {
      received: minute.received,
      duplicates: minute.duplicate,
      filtered: minute.filtered,
      filtered_by: { ...minute.filteredBy },
      counted: minute.counted,
      late: minute.late,
    },
    late: { examined: found.lateExamined, waiting: found.lateWaiting },
    files: found.files.map((file) => ({
      key: file.key,
      bytes: file.bytes,
      sha256: file.sha256,
      rows: file.rows,
      rows_of_hour: file.hourRows,
      bucket: file.bucket,
      buckets: file.buckets,
      offsets: file.ranges.map(({ topic, partition, fromOffset, toOffset, rows }) => ({
        ...{ topic, partition, from: fromOffset, to: toOffset, rows },
      })),
    })),
    publications: found.publications.map(publication),
    causes: [...found.causes],
  };
}

function publication(
  entry: CellExplanation['publications'][number],
): Static<typeof PublicationSchema> {
  const { reconciliation: diff } = entry;
  return {
    publication: entry.publication,
    kind: entry.kind,
    revision: entry.revision,
    at: formatTime(entry.atMs),
    actor: entry.actor,
    reason: entry.reason,
    rule_set: entry.ruleSet,
    inputs: entry.inputs,
    reconciliation:
      diff === null
        ? null
        : {
            id: diff.id,
            cells_differ: diff.cellsDiffer,
            drift: diff.drift,
            decision: diff.decision,
          },
  };
}

function flow(of: CellFlow): Static<typeof FlowSchema> {
  return {
    received: of.received,
    duplicates: of.duplicate,
    filtered: of.filtered,
    filtered_by: { ...of.filteredBy },
    not_matching: of.notMatching,
    value: of.value,
    late: of.late,
  };
}

function click(of: CellVerification['clicks'][number]): Static<typeof ClickSchema> {
  return {
    topic: of.topic,
    partition: of.partition,
    offset: of.offset,
    appended_at: formatTime(of.appendMs),
    timestamp: formatTime(of.eventMs),
    event_id: of.eventId,
    late: of.late,
  };
}

function cutDocument(cut: Cut): Static<typeof CutSchema> {
  return cut.map(({ topic, partition, nextOffset }) => ({
    topic,
    partition,
    next_offset: nextOffset,
  }));
}
