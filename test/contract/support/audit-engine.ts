import { recompute } from '../../../audit/recompute.js';
import type { TestLake } from '../../support/lake-files.js';
import { cellName } from './engine.js';
import type { Engine } from './engine.js';

const MEMORY_MB = 128;

/** `audit --recompute`: files of a lake, counted by SQL that shares nothing with the batch engine. */
export function auditEngine(test: TestLake): Engine {
  return {
    name: 'audit --recompute',
    count: async ({ log, hourMs, ruleSet, cut }) => {
      const files = log.length === 0 ? [] : await test.write(log, 1);
      const objects = [];
      try {
        for (const { key } of files) objects.push(await test.lake.fetch(key));
        const paths = objects.map(({ path }) => path);
        const again = await recompute({ hourMs, cut }, ruleSet, paths, MEMORY_MB);
        const cells = new Map<string, number>();
        for (const [filter, ads] of again.cells) {
          for (const [adId, counts] of ads) {
            counts.forEach((count, minute) => {
              if (count !== 0) cells.set(cellName(filter, adId, minute), count);
            });
          }
        }
        const { received, counted, duplicate, filteredBy } = again;
        const filtered = received.map((_, minute) =>
          Object.values(filteredBy).reduce((sum, counts) => sum + counts[minute]!, 0),
        );
        return { cells, flow: { received, counted, duplicate, filtered, filteredBy } };
      } finally {
        for (const object of objects) await object.release();
        for (const { key } of files) await test.lake.remove(key);
      }
    },
  };
}
