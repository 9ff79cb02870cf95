import type { RuleSet, Table } from '../../../core/rules/rule-set.js';
import { clicksOf, long, ruled } from './case.js';
import type { Case } from './case.js';

/** A dimension `net` that a table of CIDR blocks gives for the field `ip`. */
function networks(rows: readonly (readonly [string, string])[], trim?: true): RuleSet {
  const nets: Table = { key: 'ip', columns: ['net'], rows };
  const lookup = { table: 'nets', column: 'net' };
  return ruled({
    tables: { nets },
    dimensions: [{ name: 'net', field: 'ip', ...(trim && { trim }), lookup }],
  });
}

const ADS: Table = {
  key: 'text',
  columns: ['campaign', 'advertiser'],
  rows: [
    ['a', 'spring', 'acme'],
    ['b', '', 'acme'],
    ['c', 'autumn', ''],
  ],
};

const TEXT_KEYS: readonly Case[] = [
  {
    name: 'an ad is looked up: its campaign, its advertiser; no row and no text are unknown',
    ruleSet: ruled({
      tables: { ads: ADS },
      dimensions: [
        { name: 'campaign', field: 'ad_id', lookup: { table: 'ads', column: 'campaign' } },
        { name: 'by', field: 'ad_id', lookup: { table: 'ads', column: 'advertiser' } },
      ],
    }),
    log: clicksOf('ad_id', 'a', 'b', 'c', 'd', 'A', ' a'),
    cells: {
      'campaign:spring|a|0': 1,
      'by:acme|a|0': 1,
      'campaign:unknown|b|0': 1,
      'by:acme|b|0': 1,
      'campaign:autumn|c|0': 1,
      'by:unknown|c|0': 1,
      'campaign:unknown|d|0': 1,
      'campaign:unknown|A|0': 1,
      'campaign:unknown| a|0': 1,
    },
  },
  {
    name: 'a lookup comes after the map, and before the patterns',
    ruleSet: ruled({
      tables: {
        regions: { key: 'text', columns: ['region'], rows: [['GB', 'north europe']] },
      },
      dimensions: [
        {
          name: 'region',
          field: 'country',
          case: 'upper',
          map: { UK: 'GB' },
          lookup: { table: 'regions', column: 'region' },
          match: [{ pattern: 'europe', as: 'EU' }],
        },
      ],
    }),
    log: clicksOf('country', 'uk', 'gb', 'europe', null, 7),
    cells: { 'region:EU|a|0': 2, 'region:unknown|a|0': 2, 'region:other|a|0': 1 },
  },
  {
    name: 'keys of a table are exact, with names of object members among them and long ones',
    ruleSet: ruled({
      tables: {
        constructor: {
          key: 'text' as const,
          columns: ['constructor'],
          rows: [
            ['__proto__', 'P'],
            ['constructor', 'C'],
            [long(4096), 'long'],
            ['é', 'composed'],
            ['unknown', 'no'],
            ['other', 'yes'],
          ],
        },
      },
      dimensions: [
        { name: 'x', field: 'x', lookup: { table: 'constructor', column: 'constructor' } },
      ],
    }),
    log: clicksOf(
      'x',
      ...['__proto__', 'constructor', 'toString', long(4096), 'é', 'e\u0301', 'other', null, 7],
    ),
    cells: {
      'x:P|a|0': 1,
      'x:C|a|0': 1,
      'x:long|a|0': 1,
      'x:composed|a|0': 1,
      'x:yes|a|0': 1,
      'x:unknown|a|0': 3,
      'x:other|a|0': 1,
      '|a|0': 9,
    },
    only: true,
  },
];

const ADDRESSES: readonly Case[] = [
  {
    name: 'the longest block that an address is in, at the borders of all blocks',
    ruleSet: networks([
      ['10.1.2.3', 'one'],
      ['10.0.0.0/8', 'eight'],
      ['10.1.2.0/24', 'small'],
      ['10.1.0.0/16', 'sixteen'],
    ]),
    log: clicksOf(
      'ip',
      ...['9.255.255.255', '11.0.0.0'],
      ...['10.0.0.0', '10.0.255.255', '10.2.0.0', '10.255.255.255'],
      ...['10.1.0.0', '10.1.1.255', '10.1.3.0', '10.1.255.255'],
      ...['10.1.2.0', '10.1.2.2', '10.1.2.4', '10.1.2.255'],
      '10.1.2.3',
    ),
    cells: {
      'net:unknown|a|0': 2,
      'net:eight|a|0': 4,
      'net:sixteen|a|0': 4,
      'net:small|a|0': 4,
      'net:one|a|0': 1,
    },
  },
  {
    name: 'blocks that begin or end where the one around them does',
    ruleSet: networks([
      ['192.168.0.0/16', 'all'],
      ['192.168.0.0/24', 'first'],
      ['192.168.255.0/24', 'last'],
      ['192.168.255.255', 'end'],
      ['192.168.0.0/32', 'start'],
      ['192.169.0.0/16', 'next'],
    ]),
    log: clicksOf(
      'ip',
      ...['192.168.0.0', '192.168.0.1', '192.168.1.0', '192.168.254.255', '192.168.255.0'],
      ...['192.168.255.254', '192.168.255.255', '192.169.0.0', '192.170.0.0'],
    ),
    cells: {
      'net:start|a|0': 1,
      'net:first|a|0': 1,
      'net:all|a|0': 2,
      'net:last|a|0': 2,
      'net:end|a|0': 1,
      'net:next|a|0': 1,
      'net:unknown|a|0': 1,
    },
  },
  {
    name: 'an IPv6 address is one, however it is written',
    ruleSet: networks([
      ['2001:db8::/32', 'doc'],
      ['2001:db8::1', 'one'],
      ['fe80::/10', 'link'],
    ]),
    log: clicksOf(
      'ip',
      ...['2001:db8::1', '2001:DB8:0:0:0:0:0:1', '2001:0db8:0000:0000:0000:0000:0000:0001'],
      ...['2001:db8::0.0.0.1', '2001:db8:0::0:1'],
      ...['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db8::1:1'],
      ...['2001:db9::', '2001:db7:ffff::', 'febf:ffff::1', 'fec0::'],
    ),
    cells: { 'net:one|a|0': 5, 'net:doc|a|0': 3, 'net:link|a|0': 1, 'net:unknown|a|0': 3 },
  },
  {
    name: 'an IPv4 address mapped to IPv6 is the IPv4 address, and a compatible one is not',
    ruleSet: networks([
      ['10.0.0.0/8', 'ten'],
      ['::/96', 'compatible'],
    ]),
    log: clicksOf(
      'ip',
      ...['::ffff:10.1.2.3', '::FFFF:a01:203', '0:0:0:0:0:ffff:10.1.2.3', '10.1.2.3'],
      ...['::10.1.2.3', '::a01:203', '::fffe:10.1.2.3', '64:ff9b::10.1.2.3'],
    ),
    cells: { 'net:ten|a|0': 4, 'net:compatible|a|0': 2, 'net:unknown|a|0': 2 },
  },
  {
    name: 'blocks of IPv4 written as IPv6',
    ruleSet: networks([
      ['::ffff:0:0/96', 'four'],
      ['::ffff:10.0.0.0/104', 'ten'],
      ['::ffff:192.0.2.1', 'one'],
    ]),
    log: clicksOf('ip', '10.0.0.1', '192.0.2.1', '192.0.2.2', '0.0.0.0', '255.255.255.255', '::1'),
    cells: { 'net:ten|a|0': 1, 'net:one|a|0': 1, 'net:four|a|0': 3, 'net:unknown|a|0': 1 },
  },
  {
    name: 'the whole of IPv4 lies in the whole of IPv6',
    ruleSet: networks([
      ['::/0', 'six'],
      ['0.0.0.0/0', 'four'],
    ]),
    log: clicksOf(
      'ip',
      ...['0.0.0.0', '255.255.255.255', '::ffff:0:0'],
      ...['::', '::fffe:ffff:ffff', '::1:0:0:0', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
      'no',
    ),
    cells: { 'net:four|a|0': 3, 'net:six|a|0': 4, 'net:unknown|a|0': 1 },
  },
  {
    name: 'what is no address is in no block',
    ruleSet: networks([['::/0', 'any']]),
    log: clicksOf(
      'ip',
      ...[' 10.0.0.1', '10.0.0.1 ', '010.0.0.1', '10.0.0.08', '10.0.0', '10.0.0.256', '1.2.3.4.5'],
      ...['0x0a.0.0.1', '167772161', '10.0.0.1/8', '10.0.0.1:80', '１０.0.0.1', '10.0.0.'],
      ...['fe80::1%eth0', '[::1]', '1::2::3', ':', ':::', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9'],
      ...['12345::', '::g', '::ffff:010.0.0.1', '::ffff:10.0.0', 'localhost', '-1.0.0.0'],
    ),
    cells: { 'net:unknown|a|0': 26, '|a|0': 26 },
    only: true,
  },
  {
    name: 'an address with spaces around it is one after it was trimmed',
    ruleSet: networks([['10.0.0.0/8', 'ten']], true),
    log: clicksOf('ip', ' 10.0.0.1 ', '\ufeff10.0.0.1', '10. 0.0.1', 10, null),
    cells: { 'net:ten|a|0': 2, 'net:unknown|a|0': 2, 'net:other|a|0': 1 },
  },
];

/** What tables say. */
export const LOOKUP_CASES: readonly Case[] = [...TEXT_KEYS, ...ADDRESSES];
