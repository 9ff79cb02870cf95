import { defineConfig } from 'vitest/config';

// Two layers: `unit` is pure, `int` needs PostgreSQL or Kafka, which the global set-up starts
// (or finds in the environment). Run one with `npx vitest run --project unit`.
export default defineConfig({
  test: {
    // More than the two cores that are counted on: many tests wait for a server or a timeout.
    maxWorkers: 3,
    reporters: ['default', './test/support/summary-reporter.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.int.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'int',
          include: ['test/**/*.int.test.ts'],
          globalSetup: ['test/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          teardownTimeout: 60_000,
        },
      },
    ],
  },
});
