import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { shellLine, signalCommand, startCommand, uiLink } from '../../cli/temporal-command.js';
import { temporalCommand } from '../../runtime/stack/temporal-binary.js';
import { replayRangeStart } from '../../workflows/start-options.js';

/** What a POSIX shell makes of a line: its words. */
function wordsOf(line: string): string[] {
  const out = execFileSync('sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' });
  return out.split('\0').slice(0, -1);
}

const place = {
  ...{ address: '127.0.0.1:7233', namespace: 'default', uiUrl: 'http://127.0.0.1:8233/' },
  cli: 'temporal',
};

describe('a printed command', () => {
  it('is taken apart by a shell into the words it was made of', () => {
    const word = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !text.includes('\0'));
    const nasty = fc.constantFrom(
      "it's",
      '"',
      '\\',
      '$(id)',
      '`id`',
      '*',
      '~',
      '\n',
      '!!',
      ' ',
      '#',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(word, nasty), { minLength: 1, maxLength: 5 }), (words) => {
        expect(wordsOf(shellLine(words))).toEqual(words);
      }),
      { numRuns: 40 },
    );
  });

  it('starts the same workflow with the same input', () => {
    const input = {
      ...{ from: '2026-11-21T08:00:00Z', to: '2026-11-21T10:00:00Z' },
      reason: `it's "UK" → GB; $HOME`,
    };
    const words = wordsOf(startCommand(place, replayRangeStart(input), input));
    expect(words.slice(0, 3)).toEqual(['temporal', 'workflow', 'start']);
    const flags = new Map<string, string>();
    for (let i = 3; i < words.length; i += 2) flags.set(words[i]!, words[i + 1]!);
    expect(JSON.parse(flags.get('--input')!)).toEqual(input);
    flags.delete('--input');
    expect(Object.fromEntries(flags)).toEqual({
      '--address': '127.0.0.1:7233',
      '--namespace': 'default',
      '--task-queue': 'truecount-replay',
      '--type': 'replayRange',
      '--workflow-id': 'replay/2026-11-21T08:00:00Z--2026-11-21T10:00:00Z',
    });
  });
});

describe('the CLI in a printed command', () => {
  const cached = () => ({ path: '/my cache/temporal', from: 'the cache' });

  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('is the path in the cache, as one word, where there is none on PATH', () => {
    vi.stubEnv('PATH', '/nonexistent');
    const cli = temporalCommand(cached);
    const line = signalCommand({ ...place, cli }, 'replay/a--b', 'pause');
    vi.unstubAllEnvs();
    expect(wordsOf(line).slice(0, 3)).toEqual(['/my cache/temporal', 'workflow', 'signal']);
  });

  it('is its name where PATH has one, and where there is none at all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'truecount-path-'));
    try {
      vi.stubEnv('PATH', folder);
      expect(temporalCommand(() => undefined)).toBe('temporal');
      writeFileSync(join(folder, 'temporal'), '');
      expect(temporalCommand(cached)).toBe('temporal');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('a link to the UI', () => {
  it('names namespace, workflow and run, percent-encoded', () => {
    expect(uiLink(place, 'replay/a--b', 'run')).toBe(
      'http://127.0.0.1:8233/namespaces/default/workflows/replay%2Fa--b/run/history',
    );
  });

  it('is absent where nobody knows the address', () => {
    expect(uiLink({ ...place, uiUrl: undefined }, 'a', 'b')).toBeNull();
  });
});
