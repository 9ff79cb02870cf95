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
    name: 'up',
    summary: 'start the stack and all services',
    load: () => import('./verbs/up.js'),
  },
  {
    name: 'down',
    summary: 'stop the stack and all services',
    load: () => import('./verbs/down.js'),
  },
  {
    name: 'status',
    summary: 'endpoints, health, lag and hours by state',
    load: () => import('./verbs/status.js'),
  },
  {
    name: 'doctor',
    summary: 'what is wrong, and what to do',
    load: () => import('./verbs/doctor.js'),
  },
  {
    name: 'config',
    summary: 'what is in force, and where each value came from',
    load: () => import('./verbs/config.js'),
  },
  {
    name: 'migrate',
    summary: 'bring the database schema up to date',
    load: () => import('./verbs/migrate.js'),
  },
  {
    name: 'run',
    summary: 'one service as a process',
    load: () => import('./verbs/run.js'),
  },
  {
    name: 'ingest',
    summary: 'send the clicks of a file to the log',
    load: () => import('./verbs/ingest.js'),
  },
  {
    name: 'mapping',
    summary: 'mappings: which columns of a file or log make a click',
    load: () => import('./verbs/mapping.js'),
  },
  {
    name: 'tail',
    summary: 'follow the logs of an ad server and send their clicks',
    load: () => import('./verbs/tail.js'),
  },
  {
    name: 'link',
    summary: 'a signed link that counts a click and redirects',
    load: () => import('./verbs/link.js'),
  },
  {
    name: 'generate',
    summary: 'a deterministic load of clicks, and its true counts',
    load: () => import('./verbs/generate.js'),
  },
  {
    name: 'query',
    summary: 'counts and most clicked ads, as the API answers them',
    load: () => import('./verbs/query.js'),
  },
  {
    name: 'explain',
    summary: 'where the number of one ad and minute comes from',
    load: () => import('./verbs/explain.js'),
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
    name: 'recompute',
    summary: 'count hours anew from the lake; nothing is published',
    load: () => import('./verbs/recompute.js'),
  },
  {
    name: 'reconcile',
    summary: 'compare recomputed hours with what serves; nothing is published',
    load: () => import('./verbs/reconcile.js'),
  },
  {
    name: 'publish',
    summary: 'serve what was compared last, for a whole range at once',
    load: () => import('./verbs/publish.js'),
  },
  {
    name: 'rollback',
    summary: 'serve an earlier revision again, for a whole range at once',
    load: () => import('./verbs/rollback.js'),
  },
  {
    name: 'release',
    summary: 'let automation publish hours again that a rollback holds',
    load: () => import('./verbs/release.js'),
  },
  {
    name: 'replay',
    summary: 'recompute a range and publish what changed, all at once',
    load: () => import('./verbs/replay.js'),
  },
  {
    name: 'audit',
    summary: 'check the invariants, against the log as well',
    load: () => import('./verbs/audit.js'),
  },
  {
    name: 'rules',
    summary: 'rule sets: what a click counts as, and since when',
    load: () => import('./verbs/rules.js'),
  },
  {
    name: 'quarantine',
    summary: 'records that were no clicks',
    load: () => import('./verbs/quarantine.js'),
  },
];
