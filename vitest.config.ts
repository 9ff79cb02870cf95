import { defineConfig } from 'vitest/config';
import { typeboxAliases } from './scripts/typebox-bundle.mjs';
import { LongestFirst } from './test/support/longest-first.js';

// Most brokers of these tests live for seconds: with the quick compiler and the plain collector alone,
// starting one takes 4.5 s of CPU and not 7.8.
process.env['JAVA_TOOL_OPTIONS'] ??= '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';

// A worker per test file: each would load the 709 modules of typebox.
const resolve = { alias: typeboxAliases() };

// Two layers: `unit` is pure, `int` needs PostgreSQL or Kafka, which the global set-up starts
// (or finds in the environment). Run one with `npx vitest run --project unit`.
export default defineConfig({
  test: {
    // More than the two cores that are counted on: many tests wait for a server or a timeout.
    maxWorkers: 4,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        resolve,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.int.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        resolve,
        test: {
          name: 'int',
          include: ['test/**/*.int.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          // A hang ends here; what takes long beside three others does not.
          testTimeout: 300_000,
          hookTimeout: 300_000,
          teardownTimeout: 60_000,
        },
      },
    ],
  },
});
