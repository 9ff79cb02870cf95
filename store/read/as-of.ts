import { TruecountError } from '../../core/errors.js';

/**
 * Checks a publication number that a reader asks for against the newest one, read in the same
 * statement as the answer. Every number up to the newest is known.
 * @throws TruecountError `not_found` for a number that has not been published here
 */
export function checkAsOf(asked: number | undefined, newest: number): void {
  if (asked === undefined || asked <= newest) return;
  throw new TruecountError('not_found', `publication ${String(asked)} is not known here`, {
    hint: `the newest is ${String(newest)}; leave as_of out to read it`,
    context: { asked, newest },
  });
}

/**
 * Refuses an answer about the past that would need cells which retention has removed. What serves
 * now is never removed.
 * @param collected a generation without cells that the answer needs; null: all are here
 * @throws TruecountError `collected`
 */
export function checkKept(asked: number | undefined, collected: string | null): void {
  if (asked === undefined || collected === null) return;
  throw new TruecountError(
    'collected',
    `generation ${collected}, which served at publication ${String(asked)}, has been collected`,
    {
      hint: 'leave as_of out to read the newest, or ask for hours whose old generations are kept',
      context: { asked, generation: Number(collected) },
    },
  );
}
