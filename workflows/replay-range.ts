import { continueAsNew, workflowInfo } from '@temporalio/workflow';
import type { HourFacts } from './activity-contract.js';
import { Approval } from './approval.js';
import { checked } from './checked.js';
import { checkReplay } from './checks.js';
import { compareHour } from './compare-hour.js';
import type { HourText, ReplayRangeInput, ReplayRangeResult } from './contract.js';
import { TOLD_MAX } from './contract.js';
import { STREAM_TIMEOUT_MS } from './cut-hour.js';
import {
  alertsOf,
  asksApproval,
  cellsDiffer,
  decide,
  holdsOf,
  planLines,
  replayCut,
  planWords,
} from './decide.js';
import type { ComparedHour } from './decide.js';
import { refuse } from './failures.js';
import { hourMsOf } from './input.js';
import { long, short, waiting } from './proxies.js';
import { publishStep } from './publish-range.js';
import { running, trigger } from './run.js';
import type { Run } from './run.js';
import { inWindow } from './window.js';

/** Hours that one activity cuts. */
const CUT_SLICE = 24;

/** What a run hands to the run that continues it. */
export interface ReplayCarried {
  readonly compared: readonly ComparedHour[];
  readonly left: readonly HourFacts[];
  readonly startMs: number;
  readonly paused: boolean;
}

type Replay = ReturnType<typeof checkReplay>;

/**
 * The whole way of a range: cut what is not cut, recompute each hour (a child workflow each, in a
 * sliding window), compare, and publish all that changed at once; hours that come out the same are
 * confirmed. An hour that serves what was made of the same inputs stays as it is, unread. With
 * `needsApproval` a person sees the plan before anything is published. One failing hour ends it, and
 * nothing is published.
 * @param given for continuing runs only: one that somebody starts takes no notice of it
 */
export async function replayRange(
  input: ReplayRangeInput,
  given?: ReplayCarried,
): Promise<ReplayRangeResult> {
  const replay = checked(input, checkReplay);
  const carried = workflowInfo().continuedFromExecutionRunId === undefined ? undefined : given;
  const { from, to } = replay;
  const more = carried === undefined ? {} : { startMs: carried.startMs, paused: carried.paused };
  return running({ from, to, hours: replay.hours.length, ...more }, outcomeOf, async (run) => {
    const approval = new Approval();
    const begun = carried ?? { compared: [], left: await prepare(run, replay) };
    run.show({ stage: 'recompute', hoursDone: begun.compared.length });
    const compared = await compareAll(run, input, replay, begun);
    return publishAll(run, replay, compared, approval);
  });
}

function outcomeOf({ published, confirmed, held, alerted = 0 }: ReplayRangeResult): string {
  if (alerted > 0) return 'published_alert';
  if (held > 0) return 'held';
  if (published > 0) return 'published';
  return confirmed > 0 ? 'confirmed' : 'unchanged';
}

/** Waits for the stream where it must, cuts what is not cut, and looks at the hours then. */
async function prepare(run: Run, { to, hours }: Replay): Promise<readonly HourFacts[]> {
  if (hourMsOf(to) > Date.now()) {
    throw refuse('conflict', `${to} has not come yet`, 'end the range with an hour that is over');
  }
  const facts = await look(hours);
  const open = facts.filter(({ cut }) => !cut).map(({ hour }) => hour);
  if (open.length === 0) return facts;
  run.show({ stage: 'stream' });
  const ends = await short.logEnds.executeWithOptions({ summary: 'where the log ends' }, []);
  await waiting(STREAM_TIMEOUT_MS).awaitStream.executeWithOptions(
    { summary: 'until the stream is there' },
    [ends],
  );
  run.show({ stage: 'cut' });
  for (let i = 0; i < open.length; i += CUT_SLICE) {
    await run.untilResumed();
    const slice = open.slice(i, i + CUT_SLICE);
    const summary = `cut ${slice[0]!} and ${String(slice.length - 1)} more`;
    await long.cutHours.executeWithOptions({ summary }, [{ hours: slice }]);
  }
  return look(hours);
}

async function look(hours: readonly HourText[]): Promise<readonly HourFacts[]> {
  return short.lookAtHours.executeWithOptions({ summary: `${String(hours.length)} hours` }, [
    { hours },
  ]);
}

/** All hours of the range, over as many runs as their history needs. */
async function compareAll(
  run: Run,
  input: ReplayRangeInput,
  { rules, parallel }: Replay,
  begun: Pick<ReplayCarried, 'compared' | 'left'>,
): Promise<readonly ComparedHour[]> {
  const failed: unknown[] = [];
  const { done, left } = await inWindow(
    begun.left,
    {
      width: parallel,
      gate: () => run.untilResumed(),
      goOn: () => failed.length === 0 && !workflowInfo().continueAsNewSuggested,
    },
    async (facts) => {
      try {
        const cut = replayCut(facts);
        const { hour } = facts;
        return await compareHour(run, { hour, cut, ...(rules === undefined ? {} : { rules }) });
      } catch (error) {
        failed.push(error);
        throw error;
      }
    },
  );
  if (failed.length > 0) throw failed[0];
  const compared = [...begun.compared, ...done.flatMap((one) => (one.ok ? [one.value] : []))];
  if (left.length === 0) return compared;
  const { startMs, paused } = run;
  return continueAsNew<typeof replayRange>(input, { compared, left, startMs, paused });
}

async function publishAll(
  run: Run,
  replay: Replay,
  compared: readonly ComparedHour[],
  approval: Approval,
): Promise<ReplayRangeResult> {
  const planHash = await short.hashPlan.executeWithOptions({ summary: 'hash of the plan' }, [
    planLines(compared),
  ]);
  let { actor } = replay;
  const approved = asksApproval(compared, replay.needsApproval);
  if (approved) {
    const by = await approval.of(planHash, planWords(compared), replay.approvalTimeoutMs, run);
    if (by !== 'unknown') actor = by;
  }
  await run.untilResumed();
  run.show({ stage: 'publish' });
  const { publish, confirm, held } = decide(compared, approved);
  // A replay on a schedule is automation: it leaves held hours alone.
  const automatic = trigger() === 'schedule';
  const request = { actor, reason: replay.reason, automatic };
  let publication: number | null = null;
  if (publish.length > 0) {
    const made = await publishStep({ ...request, kind: 'publish', hours: publish }, 'publish');
    publication = made.publication;
  }
  if (confirm.length > 0) {
    const made = await publishStep({ ...request, kind: 'confirm', hours: confirm }, 'confirm');
    publication = made.publication;
  }
  const alerts = alertsOf(compared, publish);
  return {
    publication,
    planHash,
    hours: compared.length,
    published: publish.length,
    confirmed: confirm.length,
    held: held.length,
    unchanged: compared.length - publish.length - confirm.length - held.length,
    cellsDiffer: cellsDiffer(compared),
    alerted: alerts.length,
    alerts: alerts.slice(0, TOLD_MAX),
    holds: holdsOf(compared, held).slice(0, TOLD_MAX),
  };
}
