import { TruecountError } from '../core/errors.js';

/** There is no room for clicks now: none of them was sent. */
export function overloaded(message: string): TruecountError {
  return new TruecountError('overloaded', message, {
    hint: 'send the same clicks with the same ids again a little later',
  });
}
