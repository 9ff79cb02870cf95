import { TruecountError } from '../core/errors.js';
import { partitionKey } from '../core/position.js';
import { archiveCoverage, wantArchived } from '../store/lake/manifest.js';
import type { Activities } from '../workflows/activity-contract.js';
import type { ActivityDeps } from './deps.js';

const NAMED_MAX = 5;

/**
 * Asks once whether the lake holds everything below the cut: Temporal asks again. The archive is told
 * that somebody waits, and commits early.
 */
export function awaitArchiveActivity({ session }: ActivityDeps): Activities['awaitArchive'] {
  return ({ cut }) =>
    session(async (client) => {
      const { reached, behind } = await archiveCoverage(client, cut);
      if (reached) return;
      await wantArchived(client, cut);
      const names = behind
        .slice(0, NAMED_MAX)
        .map((p) => `${partitionKey(p)} ${String(p.nextOffset)} of ${String(p.wanted)}`);
      const more =
        behind.length > NAMED_MAX ? ` and ${String(behind.length - NAMED_MAX)} more` : '';
      throw new TruecountError(
        'not_ready',
        `the archive has not passed the cut: ${names.join(', ')}${more}`,
        { hint: 'it commits now and then (archive.flushIntervalMs); does it run?' },
      );
    });
}
