import { isCancellation, log } from '@temporalio/workflow';
import type { DueHours } from './activity-contract.js';
import { checked } from './checked.js';
import { checkSettle } from './checks.js';
import { compareHour } from './compare-hour.js';
import type {
  CutChoice,
  FailedHour,
  HourText,
  PublishHour,
  SettleInput,
  SettleResult,
} from './contract.js';
import { decide } from './decide.js';
import type { ComparedHour } from './decide.js';
import { described } from './failures.js';
import { short, tidy } from './proxies.js';
import { publishStep } from './publish-range.js';
import { running } from './run.js';
import type { Run, RunSpec } from './run.js';
import { inWindow } from './window.js';

/** Hours in work at the same time. */
const PARALLEL = 2;
/** A settlement comes back soon: it does not wait long for an archive that is behind. */
const ARCHIVE_TIMEOUT_MS = 60_000;
/** Nor for an hour that somebody else has in work, perhaps paused. */
const TURN_MS = 30_000;

interface Work {
  readonly hour: HourText;
  readonly cut: CutChoice;
}

/** What has come of a settlement so far. */
interface Tally {
  cut: number;
  published: number;
  confirmed: number;
  held: number;
  publication: number | null;
  readonly failed: FailedHour[];
}

/**
 * Makes final what is due: cuts hours whose time has come, recomputes them, compares, and publishes
 * what policy lets through; looks again at final hours with late clicks. An hour that fails is named
 * in the result, and in Postgres, and holds up no other; the next run with room for it takes it up
 * again.
 */
export async function settleDueHours(input: SettleInput = {}): Promise<SettleResult> {
  const range = checked(input, checkSettle);
  return running(specOf(range), outcomeOf, async (run) => {
    const tally: Tally = {
      cut: 0,
      published: 0,
      confirmed: 0,
      held: 0,
      publication: null,
      failed: [],
    };
    run.show({ stage: 'due' });
    const due = await short.dueWork.executeWithOptions({ summary: 'what is due' }, [range]);
    tally.held += due.waiting;
    const work = await cutDue(run, due, tally);
    const compared = await compareAll(run, work, tally);
    await run.untilResumed();
    run.show({ stage: 'publish' });
    await publishAll(compared, tally);
    await recordFailures(due, tally);
    run.show({ stage: 'sweep' });
    await sweep();
    return tally;
  });
}

/** What is searched for: the range asked for, else the hour in which it runs. */
function specOf(range: SettleInput): RunSpec {
  const now = new Date(Date.now()).toISOString();
  return { from: range.from ?? now, to: range.to ?? now, hours: 0 };
}

function outcomeOf({ failed, published, confirmed, held }: SettleResult): string {
  if (failed.length > 0) return 'some_failed';
  if (published > 0) return 'published';
  if (held > 0) return 'held';
  return confirmed > 0 ? 'confirmed' : 'nothing_due';
}

async function cutDue(run: Run, due: DueHours, tally: Tally): Promise<readonly Work[]> {
  const { toCut, toRecompute, toExamine } = due;
  run.show({ stage: 'cut', hoursTotal: toCut.length + toRecompute.length + toExamine.length });
  const cut: HourText[] = [];
  for (const hour of toCut) {
    await run.untilResumed();
    await attempt(tally, hour, async () => {
      const { cutNow } = await short.cutHour.executeWithOptions({ summary: `cut ${hour}` }, [
        { hour },
      ]);
      if (cutNow) tally.cut++;
      cut.push(hour);
    });
  }
  return [
    ...[...cut, ...toRecompute].map((hour) => ({ hour, cut: 'hour' as const })),
    ...toExamine.map((hour) => ({ hour, cut: 'late' as const })),
  ];
}

async function compareAll(
  run: Run,
  work: readonly Work[],
  tally: Tally,
): Promise<readonly ComparedHour[]> {
  run.show({ stage: 'recompute' });
  const compared: ComparedHour[] = [];
  const { done } = await inWindow(
    work,
    { width: PARALLEL, gate: () => run.untilResumed(), goOn: () => true },
    ({ hour, cut }) =>
      attempt(tally, hour, async () => {
        const input = { hour, cut, archiveTimeoutMs: ARCHIVE_TIMEOUT_MS };
        compared.push(await compareHour(run, input, TURN_MS));
      }),
  );
  // An hour's failure is in the tally: what comes through is a cancellation.
  for (const outcome of done) if (!outcome.ok) throw outcome.error;
  return compared;
}

async function publishAll(compared: readonly ComparedHour[], tally: Tally): Promise<void> {
  const { publish, confirm, held } = decide(compared, false);
  tally.held += held.length;
  tally.published += await publishHours('publish', publish, tally);
  tally.confirmed += await publishHours('confirm', confirm, tally);
}

/** All at once; if one of them may not, each on its own. How many it was done for. */
async function publishHours(
  kind: 'publish' | 'confirm',
  hours: readonly PublishHour[],
  tally: Tally,
): Promise<number> {
  if (hours.length === 0) return 0;
  const request = { kind, actor: 'settle', reason: 'due', automatic: true };
  try {
    tally.publication = (await publishStep({ ...request, hours }, kind)).publication;
    return hours.length;
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (hours.length === 1) return refused(tally, hours[0]!.hour, error);
  }
  let done = 0;
  for (const one of hours) {
    try {
      const step = `${kind} ${one.hour}`;
      tally.publication = (await publishStep({ ...request, hours: [one] }, step)).publication;
      done++;
    } catch (error) {
      if (isCancellation(error)) throw error;
      refused(tally, one.hour, error);
    }
  }
  return done;
}

async function attempt(tally: Tally, hour: HourText, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (isCancellation(error)) throw error;
    refused(tally, hour, error);
  }
}

/**
 * It is no failure that somebody holds the hour, nor that somebody published it meanwhile: what is due
 * after that, the next settlement does.
 */
function refused(tally: Tally, hour: HourText, error: unknown): 0 {
  const { type, message } = described(error);
  if (type === 'hour_held') tally.held++;
  else if (type !== 'revision_conflict') tally.failed.push({ hour, error: `${type}: ${message}` });
  return 0;
}

/** Where those who look find them, and the next settlement, which takes other hours first. */
async function recordFailures(due: DueHours, { failed }: Tally): Promise<void> {
  const bad = new Set(failed.map(({ hour }) => hour));
  const all = [...due.toCut, ...due.toRecompute, ...due.toExamine];
  const done = all.filter((hour) => !bad.has(hour));
  const options = { summary: `${String(bad.size)} of ${String(all.length)} hours failed` };
  await short.recordFailures.executeWithOptions(options, [{ failed, done }]);
}

async function sweep(): Promise<void> {
  try {
    await tidy.sweep.executeWithOptions({ summary: 'what finished attempts left' }, []);
  } catch (error) {
    if (isCancellation(error)) throw error;
    log.warn('the sweep failed; the next settlement sweeps again', { error: String(error) });
  }
}
