import { TruecountError } from './errors.js';
import type { LedgerBody } from './ledger.js';
import { isSafeText } from './text.js';

/** Characters (code points) of what an entry of the ledger says in words. */
export const LEDGER_WORDS_MAX = { actor: 200, reason: 500 } as const;

/**
 * Who or why, as the ledger keeps it for ever: one line of text, not empty. A NUL or a lone surrogate
 * would make an entry that Postgres can store, but never read as JSON again.
 * @throws TruecountError `invalid_argument`
 */
export function ledgerWords(name: keyof typeof LEDGER_WORDS_MAX, value: unknown): string {
  const max = LEDGER_WORDS_MAX[name];
  const fault = faultOf(value, max);
  if (fault === null) return value as string;
  throw new TruecountError('invalid_argument', `${name} ${fault}`, {
    hint: `the ledger keeps it: one line of 1 to ${String(max)} characters`,
    context: { parameter: name },
  });
}

/**
 * Refuses what must never be appended.
 * @throws TruecountError `invalid_argument`
 */
export function checkEntryWords(entry: Pick<LedgerBody, 'actor' | 'reason' | 'request'>): void {
  ledgerWords('actor', entry.actor);
  ledgerWords('reason', entry.reason);
  if (typeof entry.request === 'string' && isSafeText(entry.request)) return;
  throw new TruecountError('invalid_argument', 'the name of the request has control characters', {
    hint: 'it begins with the id of the workflow: start it under another one',
  });
}

function faultOf(value: unknown, max: number): string | null {
  if (value === undefined || value === null || value === '') return 'is missing';
  if (typeof value !== 'string') return 'is no text';
  // Two code units make a character at most.
  if (value.length > 2 * max || [...value].length > max) return 'is too long';
  return isSafeText(value) ? null : 'has control characters or half a character';
}
