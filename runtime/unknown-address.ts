import { TruecountError } from '../core/errors.js';

/** The error for a server of which nobody said where it is, and the variable that says it. */
export function unknownAddress(what: string, variable: string): TruecountError {
  return new TruecountError('dependency_unreachable', `no address of ${what} is known`, {
    hint: `start the embedded stack (npx truecount up --detach) or set ${variable}`,
  });
}
