import type { Activities } from '../workflows/activity-contract.js';
import type { ActivityDeps } from './deps.js';

/** Where the log ends now. */
export function logEndsActivity({ log }: ActivityDeps): Activities['logEnds'] {
  return () => log.ends();
}

/** Asks once: Temporal asks again, so that no worker is held while the stream reads on. */
export function awaitStreamActivity({ log }: ActivityDeps): Activities['awaitStream'] {
  return (ends) => log.assertCommitted(ends);
}
