import { formatTime, type TimeRange } from '../core/range.js';
import type { PlannedHour } from '../core/range-plan.js';
import { versionFor } from '../core/rules/versions.js';
import type { RulesInForce } from '../core/rules/versions.js';
import { HOUR_MS } from '../core/time.js';
import type { HourStanding } from '../store/generations/hours.js';
import type { Candidate, HourVolume } from '../store/read/range-plan.js';
import type { CutChoice, PublishHour } from '../workflows/contract.js';

/** What a plan is made from: the hours as they are. */
export interface PlanFacts {
  readonly range: TimeRange;
  readonly standings: readonly HourStanding[];
  readonly volumes: ReadonlyMap<number, HourVolume>;
  /** What hours without a row will be counted by. */
  readonly versions: readonly RulesInForce[];
}

const NOTHING: HourVolume = { files: 0, bytes: 0, rows: 0 };

type Looked = Omit<PlannedHour, 'steps' | 'note' | 'generation'> & {
  readonly standing: HourStanding | undefined;
};

/** Every hour of the range, also those into which nothing has been counted. */
function lookAt({ range, standings, volumes, versions }: PlanFacts): Looked[] {
  const byHour = new Map(standings.map((standing) => [standing.hourMs, standing]));
  const hours: Looked[] = [];
  for (let hourMs = range.fromMs; hourMs < range.toMs; hourMs += HOUR_MS) {
    const standing = byHour.get(hourMs);
    hours.push({
      hour: formatTime(hourMs),
      state: stateOf(standing),
      revision: standing?.revision ?? 0,
      held: standing?.held ?? false,
      latePending: standing?.latePending ?? 0,
      ruleSet: standing?.served?.ruleSet ?? standing?.pin ?? versionFor(versions, hourMs)!.hash,
      ...(volumes.get(hourMs) ?? NOTHING),
      standing,
    });
  }
  return hours;
}

function stateOf(standing: HourStanding | undefined): PlannedHour['state'] {
  if (standing === undefined) return 'empty';
  if (standing.served !== null) return 'final';
  return standing.cut === null ? 'live' : 'cut';
}

function planned(
  { standing: _standing, ...hour }: Looked,
  more: Partial<PlannedHour> & Pick<PlannedHour, 'steps'>,
): PlannedHour {
  return { generation: null, note: '', ...hour, ...more };
}

/** A replay: the whole way of every hour, but for those whose generation is what it would make. */
export function replayHours(facts: PlanFacts, rules: string | undefined): PlannedHour[] {
  return lookAt(facts).map((hour) => {
    const ruleSet = rules ?? hour.ruleSet;
    const served = hour.standing?.served ?? null;
    if (served !== null && served.ruleSet === ruleSet && hour.latePending === 0) {
      const note = 'serves already what these inputs give: the lake is not read';
      const { id: generation } = served;
      return planned(hour, { ruleSet, generation, steps: ['reconcile'], note, ...NOTHING });
    }
    const cut = hour.state === 'empty' || hour.state === 'live' ? ['cut'] : [];
    const count = hour.latePending > 0 ? 'recompute with the late clicks' : 'recompute';
    return planned(hour, {
      ruleSet,
      steps: [...cut, count, 'reconcile', 'publish'],
      note: hour.held ? 'held: publishing it releases it' : '',
    });
  });
}

/** A recompute: hours that are cut. */
export function recomputeHours(
  facts: PlanFacts,
  rules: string | undefined,
  cut: CutChoice,
): PlannedHour[] {
  return lookAt(facts).map((hour) => {
    const ruleSet = rules ?? hour.ruleSet;
    const isCut = hour.standing !== undefined && hour.standing.cut !== null;
    if (!isCut) {
      const note = 'not cut: truecount cut, or replay';
      return planned(hour, { ruleSet, steps: [], note, ...NOTHING });
    }
    return planned(hour, { ruleSet, steps: [`recompute${cutWords(cut, hour.state)}`] });
  });
}

/** Only of a final hour there are two cuts. */
function cutWords(cut: CutChoice, state: PlannedHour['state']): string {
  if (cut === 'late') return ' with the late clicks';
  if (state !== 'final') return '';
  return cut === 'served' ? ' at the served cut' : ' at its first cut';
}

/**
 * A reconciliation: hours with a generation by `rules`, by default what a recompute would count by. A
 * generation by other rules may be there only since somebody asked what they would change.
 */
export function reconcileHours(
  facts: PlanFacts,
  candidates: readonly Candidate[],
  rules: string | undefined,
): PlannedHour[] {
  const asked = lookAt(facts).flatMap(({ hour, ruleSet }) =>
    candidates.filter(
      (one) => formatTime(one.hourMs) === hour && one.ruleSet === (rules ?? ruleSet),
    ),
  );
  return withCandidates(facts, asked, (hour, candidate) => {
    if (candidate === undefined) {
      const other = candidates.find(({ hourMs }) => formatTime(hourMs) === hour.hour);
      const note =
        other === undefined
          ? 'no generation: truecount recompute'
          : `counted by other rules only: --rules ${other.ruleSet}`;
      return { steps: [], note };
    }
    const against = hour.state === 'final' ? 'what serves' : 'the live count';
    return { steps: [`compare with ${against}`] };
  });
}

/**
 * A publication of what was compared last. What is held, or was put on hold by the comparison, is
 * published only with `release`; else it is refused, not left out: `refused` names those hours. So
 * does `overtaken` those that somebody has published since they were compared.
 */
export function publishHours(
  facts: PlanFacts,
  candidates: readonly Candidate[],
  release: boolean,
): {
  readonly hours: PlannedHour[];
  readonly refused: readonly string[];
  readonly overtaken: readonly string[];
} {
  const refused: string[] = [];
  const overtaken: string[] = [];
  const hours = withCandidates(facts, candidates, (hour, candidate) => {
    if (candidate === undefined)
      return { steps: [], note: 'nothing compared: truecount reconcile' };
    const served = hour.standing?.served ?? null;
    if (served?.id === candidate.generation) return { steps: [], note: 'serves already' };
    if (candidate.collected) return { steps: [], note: 'collected: truecount recompute' };
    if (served?.checksum === candidate.checksum && served.ruleSet === candidate.ruleSet) {
      return { steps: [], note: 'the same cells by the same rules as what serves' };
    }
    const base = candidate.reconciliation?.base ?? null;
    if (base !== (served?.id ?? null)) {
      overtaken.push(hour.hour);
      return { steps: ['publish'], note: 'compared with what serves no more: truecount reconcile' };
    }
    const onHold = candidate.reconciliation?.decision === 'hold';
    if (hour.held || onHold) {
      if (!release) refused.push(hour.hour);
      const note = hour.held ? 'held by a rollback' : 'put on hold by its comparison';
      return { steps: ['publish and release'], note };
    }
    return { steps: ['publish'], note: differences(candidate) };
  });
  return { hours, refused, overtaken };
}

function differences({ reconciliation: diff }: Candidate): string {
  return diff === null ? '' : `${String(diff.cellsDiffer)} cells differ`;
}

/** A rollback: hours that had an earlier revision. */
export function rollbackHours(
  facts: PlanFacts,
  candidates: readonly Candidate[],
  toRevision: number | undefined,
): PlannedHour[] {
  return withCandidates(facts, candidates, (hour, candidate) => {
    if (candidate === undefined) {
      const which =
        toRevision === undefined
          ? 'revision from before what serves: --to-revision'
          : `revision ${String(toRevision)}`;
      return { steps: [], note: `no ${which}` };
    }
    if (hour.standing?.served?.id === candidate.generation) {
      return { steps: [], note: 'serves already' };
    }
    if (candidate.collected) return { steps: [], note: 'collected: recompute with its rule set' };
    return { steps: [`roll back to revision ${String(candidate.revision)}`, 'hold'] };
  });
}

/** A release: hours that a rollback holds. What serves stays. */
export function releaseHours(facts: PlanFacts): PlannedHour[] {
  return lookAt(facts).map((hour) => {
    const served = hour.standing?.served ?? null;
    if (!hour.held || served === null) {
      return planned(hour, { ...NOTHING, steps: [], note: 'not held' });
    }
    return planned(hour, { ...NOTHING, generation: served.id, steps: ['release'] });
  });
}

function withCandidates(
  facts: PlanFacts,
  candidates: readonly Candidate[],
  decide: (
    hour: Looked,
    candidate: Candidate | undefined,
  ) => { readonly steps: readonly string[]; readonly note?: string },
): PlannedHour[] {
  const byHour = new Map(candidates.map((one) => [formatTime(one.hourMs), one]));
  return lookAt(facts).map((hour) => {
    const candidate = byHour.get(hour.hour);
    return planned(hour, {
      ruleSet: candidate?.ruleSet ?? hour.ruleSet,
      generation: candidate?.generation ?? null,
      ...NOTHING,
      ...decide(hour, candidate),
    });
  });
}

/** The hours of a publication or rollback as its workflow takes them. */
export function publishInputs(
  hours: readonly PlannedHour[],
  candidates: readonly Candidate[],
): PublishHour[] {
  const diffs = new Map(candidates.map((one) => [one.generation, one.reconciliation]));
  return hours.flatMap(({ hour, generation, revision, steps }) => {
    if (generation === null || steps.length === 0) return [];
    const diff = diffs.get(generation) ?? null;
    const more = diff === null ? {} : { reconciliation: diff.id };
    return [{ hour, generation, expectedRevision: revision, ...more }];
  });
}
