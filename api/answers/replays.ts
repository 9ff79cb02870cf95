import Type, { type Static } from 'typebox';
import { TruecountError } from '../../core/errors.js';
import { LEDGER_WORDS_MAX, ledgerWords } from '../../core/ledger-words.js';
import { formatTime, parseHourRange } from '../../core/range.js';
import { REPLAY_PARALLEL_MAX } from '../../core/replay.js';
import type { Reader } from '../../store/read/connection.js';
import {
  REPLAY_STATES,
  type Replay,
  type ReplayControl,
  type ReplaySummary,
} from '../replay-control.js';
import { FromSchema, TimeSchema, ToSchema } from '../schemas.js';
import { findRuleSet } from './rules.js';

/** Replays in one answer at most, and by default. */
export const REPLAYS_MAX = 1_000;
export const REPLAYS_DEFAULT = 100;

const words = (description: string, maxLength: number) =>
  Type.String({ description, minLength: 1, maxLength });

/** The body of `POST /replays`. */
export const ReplayBody = Type.Object(
  {
    from: FromSchema,
    to: ToSchema,
    rules: Type.Optional(
      Type.String({
        description: 'number of a version, or hash of a stored rule set; left out: each hour’s own',
        pattern: '^([1-9][0-9]{0,8}|[0-9a-f]{64})$',
      }),
    ),
    reason: Type.Optional(words('why, for the ledger', LEDGER_WORDS_MAX.reason)),
    actor: Type.Optional(words('who, for the ledger', LEDGER_WORDS_MAX.actor)),
    needs_approval: Type.Optional(
      Type.Boolean({ description: 'publish nothing until what would change is approved' }),
    ),
    parallel: Type.Optional(
      Type.Integer({
        description: 'hours in work at a time',
        minimum: 1,
        maximum: REPLAY_PARALLEL_MAX,
      }),
    ),
  },
  { additionalProperties: false },
);

const Summary = {
  id: Type.String({ description: 'the workflow’s id' }),
  run_id: Type.String(),
  state: Type.Enum([...REPLAY_STATES]),
  started_at: TimeSchema,
  closed_at: Type.Union([TimeSchema, Type.Null()]),
};

export const ReplaySummaryDocument = Type.Object(Summary);

export const ReplaysDocument = Type.Object(
  { replays: Type.Array(ReplaySummaryDocument, { description: 'the newest first' }) },
  { description: 'replays that Temporal still knows' },
);

const ProgressDocument = Type.Object({
  stage: Type.String(),
  hours_done: Type.Integer(),
  hours_total: Type.Integer(),
  rows_done: Type.Integer(),
  rows_total: Type.Integer(),
  paused: Type.Boolean(),
  awaits_approval: Type.Union([Type.String(), Type.Null()], {
    description: 'the hash to approve, while it waits for that',
  }),
  detail: Type.String(),
});

const ResultDocument = Type.Object({
  publication: Type.Union([Type.Integer(), Type.Null()], {
    description: 'null: nothing had to be published',
  }),
  hours: Type.Integer(),
  published: Type.Integer(),
  confirmed: Type.Integer(),
  held: Type.Integer(),
  unchanged: Type.Integer({
    description: 'their generation serves with the same inputs: they were not read again',
  }),
  cells_differ: Type.Integer(),
  alerted: Type.Integer({ description: 'of those published: how many with an alert' }),
  alerts: Type.Array(
    Type.Object({
      hour: TimeSchema,
      drift: Type.Number({ description: 'share of the clicks that moved' }),
      cells_differ: Type.Integer(),
      reason: Type.String(),
    }),
    { description: 'the first 100 of them, what moved most first' },
  ),
  holds: Type.Array(Type.Object({ hour: TimeSchema, reason: Type.String() }), {
    description: 'of those held the first 100',
  }),
});

export const ReplayDocument = Type.Object(
  {
    ...Summary,
    progress: Type.Union([ProgressDocument, Type.Null()], {
      description: 'null: it does not run, or no worker answers',
    }),
    result: Type.Union([ResultDocument, Type.Null()]),
    error: Type.Union([Type.String(), Type.Null()]),
  },
  { description: 'a replay and how far it is' },
);

/**
 * Starts a replay and answers its id.
 * @throws TruecountError `invalid_argument`, `invalid_range`, `not_found` for rules that are not
 * stored, `not_ready` without Temporal, those of a read and of `ReplayControl.start`
 */
export async function startReplay(
  control: ReplayControl | undefined,
  reader: Reader,
  body: Static<typeof ReplayBody>,
): Promise<Static<typeof ReplaySummaryDocument>> {
  const { fromMs, toMs } = parseHourRange(body.from, body.to);
  const { rules, reason, actor, needs_approval: needsApproval, parallel } = body;
  const words = {
    actor: ledgerWords('actor', actor ?? 'api'),
    ...(reason === undefined ? {} : { reason: ledgerWords('reason', reason) }),
  };
  const temporal = configured(control);
  // What the replay would only find out after it has begun.
  const hash = rules === undefined ? undefined : (await findRuleSet(reader, rules)).hash;
  const started = await temporal.start({
    from: formatTime(fromMs),
    to: formatTime(toMs),
    ...words,
    ...(hash === undefined ? {} : { rules: hash }),
    ...(needsApproval === undefined ? {} : { needsApproval }),
    ...(parallel === undefined ? {} : { parallel }),
  });
  return summaryOf(started);
}

/** Answers which replays there are. Throws as `startReplay`. */
export async function answerReplays(
  control: ReplayControl | undefined,
  limit = REPLAYS_DEFAULT,
): Promise<Static<typeof ReplaysDocument>> {
  return { replays: (await configured(control).list(limit)).map(summaryOf) };
}

/** Answers how far one of them is. @throws TruecountError `not_found`; else as `startReplay` */
export async function answerReplay(
  control: ReplayControl | undefined,
  id: string,
): Promise<Static<typeof ReplayDocument>> {
  const found = await configured(control).get(id);
  if (found === null) {
    throw new TruecountError('not_found', `there is no replay ${JSON.stringify(id)}`, {
      hint: 'GET /replays lists them; in a path the id is percent-encoded (/ is %2F)',
    });
  }
  return { ...summaryOf(found), ...detailsOf(found) };
}

function configured(control: ReplayControl | undefined): ReplayControl {
  if (control !== undefined) return control;
  throw new TruecountError('not_ready', 'this API knows no Temporal, which replays run on', {
    hint: 'set TRUECOUNT_TEMPORAL_ADDRESS, or start the stack with `truecount up`',
  });
}

function summaryOf(replay: ReplaySummary): Static<typeof ReplaySummaryDocument> {
  const { id, runId, state, startedAtMs, closedAtMs } = replay;
  return {
    id,
    run_id: runId,
    state,
    started_at: formatTime(startedAtMs),
    closed_at: closedAtMs === null ? null : formatTime(closedAtMs),
  };
}

function detailsOf({ progress, result, error }: Replay) {
  return {
    progress: progress && {
      stage: progress.stage,
      hours_done: progress.hoursDone,
      hours_total: progress.hoursTotal,
      rows_done: progress.rowsDone,
      rows_total: progress.rowsTotal,
      paused: progress.paused,
      awaits_approval: progress.awaitsApproval,
      detail: progress.detail,
    },
    result: result && {
      publication: result.publication,
      hours: result.hours,
      published: result.published,
      confirmed: result.confirmed,
      held: result.held,
      unchanged: result.unchanged,
      cells_differ: result.cellsDiffer,
      alerted: result.alerted,
      alerts: result.alerts.map(({ hour, drift, cellsDiffer, reason }) => ({
        ...{ hour, drift, cells_differ: cellsDiffer, reason },
      })),
      holds: result.holds.map(({ hour, reason }) => ({ hour, reason })),
    },
    error,
  };
}
