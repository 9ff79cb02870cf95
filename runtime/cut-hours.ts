import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import { formatTime } from '../core/range.js';
import type { TimeRange } from '../core/range.js';
import { HOUR_MS } from '../core/time.js';
import { cutHour } from '../store/cut.js';
import type { CutResult } from '../store/cut.js';
import { SESSION_LIMITS, isPassing } from '../store/session.js';

/**
 * A flush of a frozen worker holds its hour for as long as the server lets a transaction last;
 * after this many lock timeouts something else is wrong.
 */
const TRIES = 2 + Math.ceil(SESSION_LIMITS.transactionMs / SESSION_LIMITS.lockTimeoutMs);

/** Cuts every hour of the range, earliest first; an hour already cut keeps its cut. */
export async function cutHours(
  session: pg.Client,
  range: TimeRange,
  onCut: (result: CutResult) => void,
): Promise<CutResult[]> {
  const results: CutResult[] = [];
  for (let hourMs = range.fromMs; hourMs < range.toMs; hourMs += HOUR_MS) {
    const result = await cutPatiently(session, hourMs);
    onCut(result);
    results.push(result);
  }
  return results;
}

async function cutPatiently(session: pg.Client, hourMs: number): Promise<CutResult> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await cutHour(session, hourMs);
    } catch (error) {
      if (!isPassing(error)) throw error;
      if (attempt === TRIES) {
        const waitedMs = TRIES * SESSION_LIMITS.lockTimeoutMs;
        throw new TruecountError(
          'conflict',
          `hour ${formatTime(hourMs)} could not be cut: a flush kept it locked for ${String(waitedMs)} ms`,
          { hint: 'see pg_stat_activity for the session that holds it', cause: error },
        );
      }
      await delay(50 * attempt);
    }
  }
}
