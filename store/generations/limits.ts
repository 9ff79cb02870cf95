/**
 * Session limits (store/session.ts) for the transactions of a recompute: a load copies every row of an
 * hour, a diff reads two sets of them. They hold no lock that the stream, a cut or a publication
 * waits for, so they may take long; a client that is frozen in one is ended all the same.
 */
export const LONG_SESSION_LIMITS = {
  lockTimeoutMs: 60_000,
  idleInTransactionMs: 60_000,
  transactionMs: 1_800_000,
} as const;
