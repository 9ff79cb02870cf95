import { isCancellation, log } from '@temporalio/workflow';
import type { DueHours } from './activity-contract.js';
import { checked } from './checked.js';
import { checkSettle } from './checks.js';
import { compareHour } from './compare-hour.js';
import { TOLD_MAX } from './contract.js';
import type {
  CutChoice,
  FailedHour,
  HeldHour,
  HourAlert,
  HourText,
  PublishHour,
  SettleInput,
  SettleResult,
} from './contract.js';
import { alertsOf, decide, holdsOf } from './decide.js';
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
  publication: number | null;
  /** How many are on hold; `holds` has those whose reason is known. */
  held: number;
  readonly alerts: HourAlert[];
  readonly holds: HeldHour[];
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
      alerts: [],
      holds: [],
      failed: [],
    };
    run.show({ stage: 'due' });
    const due = await short.dueWork.executeWithOptions({ summary: 'what is due' }, [range]);
    tally.held += due.waiting;
    tally.holds.push(...(due.waitingFor ?? []));
    const work = await cutDue(run, due, tally);
    const compared = await compareAll(run, work, tally);
    await run.untilResumed();
    run.show({ stage: 'publish' });
    await publishAll(compared, tally);
    await recordFailures(due, tally);
    run.show({ stage: 'sweep' });
    await sweep();
    return resultOf(tally);
  });
}

function resultOf({ alerts, holds, ...counts }: Tally): SettleResult {
  return {
    ...counts,
    alerted: alerts.length,
    alerts: alerts.slice(0, TOLD_MAX),
    holds: holds.slice(0, TOLD_MAX),
  };
}

/** What is searched for: the range asked for, else the hour in which it runs. */
function specOf(range: SettleInput): RunSpec {
  const now = new Date(Date.now()).toISOString();
  return { from: range.from ?? now, to: range.to ?? now, hours: 0 };
}

/** What somebody has to look at goes before what went well. */
function outcomeOf({ failed, alerted, published, confirmed, held }: SettleResult): string {
  if (failed.length > 0) return 'some_failed';
  if (alerted > 0) return 'published_alert';
  if (held > 0) return 'held';
  if (published > 0) return 'published';
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
    ...[...cut, ...toRecompute].map((hour) => ({ hour, cut: 'served' as const })),
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
  tally.holds.push(...holdsOf(compared, held));
  const published = await publishHours('publish', publish, tally);
  tally.published += published.length;
  tally.alerts.push(...alertsOf(compared, published));
  tally.confirmed += (await publishHours('confirm', confirm, tally)).length;
}

/** All at once; if one of them may not, each on its own. Those that it was done for. */
async function publishHours(
  kind: 'publish' | 'confirm',
  hours: readonly PublishHour[],
  tally: Tally,
): Promise<readonly PublishHour[]> {
  if (hours.length === 0) return [];
  const request = { kind, actor: 'settle', reason: 'due', automatic: true };
  try {
    tally.publication = (await publishStep({ ...request, hours }, kind)).publication;
    return hours;
  } catch (error) {
    if (isCancellation(error)) throw error;
    if (hours.length === 1) {
      refused(tally, hours[0]!.hour, error);
      return [];
    }
  }
  const done: PublishHour[] = [];
  for (const one of hours) {
    try {
      const step = `${kind} ${one.hour}`;
      tally.publication = (await publishStep({ ...request, hours: [one] }, step)).publication;
      done.push(one);
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
function refused(tally: Tally, hour: HourText, error: unknown): void {
  const { type, message } = described(error);
  if (type === 'hour_held') {
    tally.held++;
    tally.holds.push({ hour, reason: message });
  } else if (type !== 'revision_conflict') {
    tally.failed.push({ hour, error: `${type}: ${message}` });
  }
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
