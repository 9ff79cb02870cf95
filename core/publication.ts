import { coversCut, normalCut } from './cut.js';
import type { Cut } from './cut.js';
import { TruecountError } from './errors.js';
import { ledgerCut } from './ledger.js';
import type { LedgerHour, PublishKind } from './ledger.js';
import { checkEntryWords } from './ledger-words.js';
import { formatTime } from './range.js';

/** One hour that somebody wants to change. */
export interface WantedHour {
  readonly hourMs: number;
  readonly generation: number;
  /** The revision that must be the newest; 0: none. */
  readonly expectedRevision: number;
  /** The one that decided it; null: a person publishes without one. */
  readonly reconciliation: number | null;
  /** Of a confirmation: the higher cut up to which the hour's clicks were looked at. */
  readonly examined?: Cut;
  /** Of a confirmation: the generation of that cut; default: the one that serves. */
  readonly examinedBy?: number;
}

export interface PublishRequest {
  /** Names the request: asked again, the first entry is the answer. */
  readonly request: string;
  readonly kind: PublishKind;
  readonly hours: readonly WantedHour[];
  readonly actor: string;
  readonly reason: string;
  /** Automatic publication is refused where an hour is held; a person's releases the hold. */
  readonly automatic: boolean;
}

/** An hour and the wanted generation as they are under the lock of the head. */
export interface FoundHour {
  readonly hourMs: number;
  /** Newest revision and what it points to; 0 and null before the first. */
  readonly revision: number;
  readonly served: number | null;
  /** The cut of that; empty where nothing serves. */
  readonly servedCut: Cut;
  readonly held: boolean;
  /** The wanted generation has served the hour before, or does. */
  readonly hasServed: boolean;
  /** The wanted generation; null: there is none of that number. */
  readonly generation: {
    readonly hourMs: number;
    readonly ruleSet: string;
    readonly inputsHash: string;
    readonly checksum: string;
    readonly cut: Cut;
    readonly collected: boolean;
  } | null;
  /** The wanted reconciliation; null: none is wanted, or there is none of that number. */
  readonly reconciliation: { readonly hourMs: number; readonly generation: number } | null;
}

/** Hours in one publication at most: about a month. */
export const PUBLICATION_HOURS_MAX = 1_000;

const RECONCILIATION_HINT = 'leave it out, or take the number of one from GET /reconciliations';

/**
 * Checks a request before anything is asked of Postgres, and puts its hours in order.
 * @throws TruecountError invalid_argument
 */
export function checkRequest(request: PublishRequest): readonly WantedHour[] {
  checkEntryWords(request);
  const hours = [...request.hours].sort((a, b) => a.hourMs - b.hourMs);
  if (hours.length === 0 || hours.length > PUBLICATION_HOURS_MAX) {
    throw new TruecountError(
      'invalid_argument',
      `a publication has 1 to ${String(PUBLICATION_HOURS_MAX)} hours, not ${String(hours.length)}`,
      { hint: 'publish a long range in parts' },
    );
  }
  const twice = hours.find(({ hourMs }, i) => hours[i + 1]?.hourMs === hourMs);
  if (twice !== undefined) {
    throw new TruecountError('invalid_argument', `${formatTime(twice.hourMs)} is named twice`);
  }
  const odd = hours.find(
    ({ reconciliation: id }) => id !== null && !(Number.isSafeInteger(id) && id > 0),
  );
  if (odd !== undefined) {
    const id = JSON.stringify(odd.reconciliation);
    throw noReconciliation(odd.hourMs, `${id} is no number of a reconciliation`);
  }
  return hours;
}

/**
 * What a publication does to one hour, or why it may not. The revision stays for a confirmation, and
 * for a release, which only ends the hold of a rollback.
 * @throws TruecountError `revision_conflict` (context: the current revision), `hour_held`, `conflict`
 * (a lower cut than that of what serves), `not_found`, `collected`, `invalid_argument`
 */
export function decideHour(
  { kind, automatic }: Pick<PublishRequest, 'kind' | 'automatic'>,
  wanted: WantedHour,
  found: FoundHour,
): LedgerHour {
  const hour = formatTime(wanted.hourMs);
  refuseConflict(hour, wanted, found);
  if (automatic && found.held) {
    throw new TruecountError('hour_held', `${hour} is held: a rollback keeps automation off it`, {
      hint: 'release it, or publish it yourself',
      context: { hour },
    });
  }
  const generation = wantedGeneration(hour, wanted, found);
  refuseOtherReconciliation(kind, wanted, found);
  if (kind === 'rollback' && !found.hasServed) {
    throw new TruecountError(
      'invalid_argument',
      `generation ${String(wanted.generation)} has never served ${hour}: there is no way back to it`,
      { hint: 'publish it, if it is the truth' },
    );
  }
  const entry = {
    hour,
    rule_set: generation.ruleSet,
    inputs: generation.inputsHash,
    checksum: generation.checksum,
    reconciliation: wanted.reconciliation,
  };
  if (kind === 'publish' && !coversCut(normalCut(generation.cut), normalCut(found.servedCut))) {
    throw new TruecountError(
      'conflict',
      `${hour}: the cut of generation ${String(wanted.generation)} is below that of what serves: ` +
        'clicks that are counted would be counted no more',
      { hint: 'recompute at the cut that serves (--cut served), or roll back', context: { hour } },
    );
  }
  const cut = ledgerCut(normalCut(generation.cut));
  if (kind === 'release') {
    refuseNoHold(hour, wanted, found);
    return { ...entry, revision: found.revision, cut };
  }
  if (kind !== 'confirm') return { ...entry, revision: found.revision + 1, cut };
  const examined = normalCut(wanted.examined ?? []);
  if (found.served !== wanted.generation || !coversCut(examined, generation.cut)) {
    throw new TruecountError(
      'invalid_argument',
      `${hour}: only the generation that serves is confirmed, at a cut not below its own`,
    );
  }
  return { ...entry, revision: found.revision, cut: ledgerCut(examined) };
}

function refuseNoHold(hour: string, wanted: WantedHour, found: FoundHour): void {
  if (found.held && found.served === wanted.generation) return;
  const why = found.held ? 'another generation serves' : 'no rollback holds it';
  throw new TruecountError('invalid_argument', `${hour} has nothing to be released: ${why}`, {
    hint: '`truecount hours` shows which are held, and what serves',
    context: { hour },
  });
}

function refuseConflict(hour: string, wanted: WantedHour, found: FoundHour): void {
  if (found.revision === wanted.expectedRevision) return;
  throw new TruecountError(
    'revision_conflict',
    `${hour} is at revision ${String(found.revision)}, ` +
      `not at ${String(wanted.expectedRevision)} as was expected`,
    {
      hint: 'somebody published in between: look at it again and decide anew',
      context: { hour, revision: found.revision, expected: wanted.expectedRevision },
    },
  );
}

function wantedGeneration(
  hour: string,
  wanted: WantedHour,
  { generation }: FoundHour,
): NonNullable<FoundHour['generation']> {
  const name = `generation ${String(wanted.generation)}`;
  if (generation === null) throw new TruecountError('not_found', `there is no ${name}`);
  if (generation.hourMs !== wanted.hourMs) {
    throw new TruecountError('invalid_argument', `${name} is not one of ${hour}`);
  }
  if (generation.collected) {
    throw new TruecountError('collected', `the cells of ${name} have been collected`, {
      hint: 'recompute the hour with the same rule set: it gives the same cells',
    });
  }
  return generation;
}

/** A reconciliation in the ledger is evidence: it is one of this hour, and of what is published. */
function refuseOtherReconciliation(
  kind: PublishRequest['kind'],
  wanted: WantedHour,
  { reconciliation: found }: FoundHour,
): void {
  if (wanted.reconciliation === null) return;
  const name = `reconciliation ${String(wanted.reconciliation)}`;
  const hour = formatTime(wanted.hourMs);
  if (found === null) {
    throw new TruecountError('not_found', `${hour}: there is no ${name}`, {
      hint: RECONCILIATION_HINT,
      context: { hour },
    });
  }
  const made = kind === 'confirm' ? (wanted.examinedBy ?? wanted.generation) : wanted.generation;
  if (found.hourMs === wanted.hourMs && found.generation === made) return;
  throw noReconciliation(
    wanted.hourMs,
    `${name} compared generation ${String(found.generation)} of ${formatTime(found.hourMs)}, ` +
      `not generation ${String(made)}`,
  );
}

function noReconciliation(hourMs: number, what: string): TruecountError {
  const hour = formatTime(hourMs);
  return new TruecountError('invalid_argument', `${hour}: ${what}`, {
    hint: RECONCILIATION_HINT,
    context: { hour },
  });
}
