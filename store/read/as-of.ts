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
