import type { Command } from 'commander';
import { expect, it } from 'vitest';
import { buildProgram } from '../../cli/program.js';
import { VERBS } from '../../cli/verbs.js';
import { truecount } from '../support/command-line.js';

it.each(VERBS.map(({ name }) => name))('%s --help ends with an example to paste', async (name) => {
  const { code, stdout } = await truecount([name, '--help']);
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  const examples = lines.slice(lines.findLastIndex((line) => /^Examples?:$/.test(line)) + 1);
  expect(examples.length).toBeGreaterThan(0);
  for (const line of examples) expect(line).toMatch(/^ {2}(\$ npx truecount \S|\s*[^$\s])/);
});

it('no description brings line ends of its own: help is wrapped once', async () => {
  const ends: string[] = [];
  const look = (command: Command): void => {
    if (command.description().includes('\n')) ends.push(command.name());
    command.commands.forEach(look);
  };
  for (const { name } of VERBS) look(await buildProgram([name]));
  expect(ends).toEqual([]);
});

it('replay --help says what --plan with --rules stores', async () => {
  const { stdout } = await truecount(['replay', '--help']);
  expect(stdout).not.toContain('and do nothing');
  expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
    /with --rules it stores the rule set .* generations/,
  );
});

it('lists all verbs in --help', async () => {
  const { stdout } = await truecount(['--help']);
  for (const { name, summary } of VERBS)
    expect(stdout).toMatch(new RegExp(`^  ${name} .*${summary}`, 'm'));
});

it.each([[['nosuchverb']], [['config', '--nosuchoption']], [['config', '--set', 'novalue']], [[]]])(
  'exits 2 and prints no result for %j',
  async (args) => {
    const { code, stdout, stderr } = await truecount(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).not.toBe('');
  },
);

it.each([
  [['nosuchverb'], "unknown command 'nosuchverb'", 'truecount help'],
  [['config', '--nosuchoption'], "unknown option '--nosuchoption'", 'truecount config --help'],
  [
    ['publish', '--to', '2025-11-21T08'],
    "required option '--from <time>' not specified",
    'truecount publish --help',
  ],
  [
    ['rules', 'put'],
    "required option '--reason <text>' not specified",
    'truecount rules put --help',
  ],
  [['rules', 'nosuch'], "unknown command 'nosuch'", 'truecount rules --help'],
])('tells wrong usage %j once, with the help of its own, and in JSON', async (args, said, help) => {
  const { code, stdout, stderr } = await truecount([...args, '--json']);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toEqual({
    error: { code: 'invalid_argument', message: said, hint: `see: ${help}`, context: {} },
  });
  expect(stderr.split(said)).toHaveLength(2);
  expect(stderr).toContain('error (invalid_argument): ');
});

it('refuses a reason that the ledger does not keep before anything is reached: exit code 2', async () => {
  const range = ['--from', '2025-11-21T08', '--to', '2025-11-21T09'];
  const env = { TRUECOUNT_POSTGRES_URL: 'postgres://nobody@127.0.0.1:1/x' };
  const outcome = await truecount(['replay', ...range, '--reason', 'two\nlines', '--json'], env);
  expect(outcome.code).toBe(2);
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    error: { code: 'invalid_argument', hint: expect.stringContaining('one line of') as string },
  });
});

it('says that a subcommand is missing, after the help that lists them', async () => {
  const { code, stdout, stderr } = await truecount(['quarantine']);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/list \[options\][^]*error \(invalid_argument\): a subcommand is missing/);
});

it('gives an error as one JSON document with --json, and words on stderr', async () => {
  const { code, stdout, stderr } = await truecount(['config', '--json', '--set', 'topicz=a']);
  expect(code).toBe(2);
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'invalid_config', hint: 'did you mean topics?' },
  });
  expect(stderr).toContain('hint: did you mean topics?');
});

it('colours nothing where stdout and stderr are no terminals', async () => {
  const { stdout, stderr } = await truecount(['config', '--set', 'topicz=a']);
  expect(stdout + stderr).not.toContain('\u001b[');
});
