import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LinkKeys } from '../../collect/links.js';
import { readClickQuery } from '../../collect/query.js';
import { processRef } from '../../runtime/stack/process.js';
import { writeState } from '../../runtime/stack/state.js';
import { truecount } from '../support/command-line.js';

const KEYS = ['k2:fedcba9876543210fedcba9876543210', 'k1:0123456789abcdef0123456789abcdef'];
const ENV = {
  TRUECOUNT_COLLECT_LINK_KEYS: KEYS.join(','),
  TRUECOUNT_COLLECT_REDIRECT_HOSTS: 'shop.example,*.wild.example',
};

it('makes a link that the collector accepts, signed with the first key', async () => {
  const made = await truecount(
    [
      ...['link', 'ad/1 ü', 'https://shop.example/sale?a=b', '--field', 'country=US'],
      ...['--field', 'campaign=a=b & c', '--expires', '2030-01-01T00:00:00Z'],
      ...['--base', 'https://clicks.example.com/', '--json'],
    ],
    ENV,
  );
  expect(made).toMatchObject({ code: 0, stderr: '' });
  const { link } = JSON.parse(made.stdout) as { link: string };
  const url = new URL(link);
  expect(url.origin + url.pathname).toBe('https://clicks.example.com/c/ad%2F1%20%C3%BC');
  expect(url.searchParams.get('key')).toBe('k2');
  const query = readClickQuery(link);
  const read = {
    adId: 'ad/1 ü',
    to: 'https://shop.example/sale?a=b',
    exp: String(Date.UTC(2030, 0, 1) / 1000),
    fields: new Map([
      ['country', 'US'],
      ['campaign', 'a=b & c'],
    ]),
  };
  expect([query.values.get('to'), query.fields]).toEqual([read.to, read.fields]);
  new LinkKeys(KEYS).verify(read, query, Date.UTC(2029, 0, 1));
});

it('leads to the collector of the stack that runs, else to where the settings say', async () => {
  const home = mkdtempSync(join(tmpdir(), 'truecount-link-'));
  const env = { ...ENV, TRUECOUNT_HOME: home, TRUECOUNT_COLLECT_PORT: '8281' };
  const originOf = async (): Promise<string> =>
    new URL((await truecount(['link', 'ad', 'https://shop.example/'], env)).stdout).origin;
  expect(await originOf()).toBe('http://127.0.0.1:8281');
  const self = processRef(process.pid)!;
  const collector = { name: 'collect', process: self, url: 'http://127.0.0.1:23456', restarts: 0 };
  const none = { version: 1, supervisor: null, components: {} } as const;
  writeState(home, { ...none, services: [collector] });
  expect(await originOf()).toBe('http://127.0.0.1:23456');
  rmSync(home, { recursive: true });
});

it.each([
  ['another host', ['ad', 'https://evil.example/'], 4, 'destination_refused'],
  ['no field', ['ad', 'https://shop.example/', '--field', 'country'], 2, 'invalid_argument'],
  [
    'a reserved field',
    ['ad', 'https://shop.example/', '--field', 'ad_id=x'],
    2,
    'invalid_argument',
  ],
  ['no time', ['ad', 'https://shop.example/', '--expires', 'soon'], 2, 'invalid_argument'],
  ['no ad', ['', 'https://shop.example/'], 2, 'invalid_argument'],
])('refuses %s', async (_what, args, code, name) => {
  const refused = await truecount(['link', ...args], ENV);
  expect([refused.code, refused.stdout]).toEqual([code, '']);
  expect(refused.stderr).toContain(name);
  expect(refused.stderr).not.toContain('fedcba');
});

it('says what to set where there is no key', async () => {
  const refused = await truecount(['link', 'ad', 'https://shop.example/'], {
    TRUECOUNT_COLLECT_REDIRECT_HOSTS: 'shop.example',
  });
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/TRUECOUNT_COLLECT_LINK_KEYS/);
});
