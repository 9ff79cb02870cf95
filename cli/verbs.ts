import type { Command } from 'commander';

/** What a file in `verbs/` exports: it adds its command, with options, action and examples. */
export interface VerbModule {
  register(program: Command): void;
}

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly load: () => Promise<VerbModule>;
}

/** The verbs in the order of `--help`. Each is one file, loaded only when it is asked for. */
export const VERBS: readonly Verb[] = [
  {
    name: 'config',
    summary: 'what is in force, and where each value came from',
    load: () => import('./verbs/config.js'),
  },
  {
    name: 'query',
    summary: 'counts and most clicked ads, as the API answers them',
    load: () => import('./verbs/query.js'),
  },
  {
    name: 'hours',
    summary: 'state, rule set, cut and late clicks of each hour',
    load: () => import('./verbs/hours.js'),
  },
  {
    name: 'cut',
    summary: 'end live counting of hours, at an exact line of the log',
    load: () => import('./verbs/cut.js'),
  },
  {
    name: 'quarantine',
    summary: 'records that were no clicks',
    load: () => import('./verbs/quarantine.js'),
  },
];
