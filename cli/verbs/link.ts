import type { Command } from 'commander';
import { CLICK_LIMITS } from '../../core/click/click.js';
import { TruecountError } from '../../core/errors.js';
import { fitsUtf8, isSafeText } from '../../core/text.js';
import { AllowedDestinations } from '../../collect/destination.js';
import { LinkKeys } from '../../collect/links.js';
import { runningUrl } from '../../runtime/service-health.js';
import { readState } from '../../runtime/stack/state.js';
import { configFor, withCommonOptions, type CommonOptions } from '../options.js';
import { printResult, withExamples } from '../output.js';

interface LinkOptions extends CommonOptions {
  readonly field?: readonly string[];
  readonly expires?: string;
  readonly base?: string;
}

/** `truecount link`: a signed link that counts a click and leads to a destination. */
export function register(program: Command): void {
  const link = program
    .command('link')
    .summary('a signed link that counts a click and redirects')
    .description(
      'Makes a link for the collector: following it counts a click of the ad and leads to the URL. ' +
        'It is signed with the first of collect.linkKeys, and the host of the URL must be one of ' +
        'collect.redirectHosts, as for the collector that will see it.',
    )
    .argument('<ad>', 'ad_id')
    .argument('<url>', 'where it leads')
    .option('--field <name=value>', 'a field of the click (repeatable)', collect)
    .option('--expires <time>', 'RFC 3339: refused from then on')
    .option(
      '--base <url>',
      'public address of the collector (default: where it runs, else its host and port)',
    )
    .action(run);
  withExamples(
    withCommonOptions(link),
    'npx truecount link ad-1 https://shop.example/sale --field country=US',
  );
}

function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

function run(ad: string, url: string, options: LinkOptions): void {
  const { config } = configFor(options);
  const { host, port, redirectHosts, linkKeys } = config.collect;
  if (ad === '' || !fitsUtf8(ad, CLICK_LIMITS.idBytesMax) || !isSafeText(ad)) {
    throw new TruecountError('invalid_argument', 'this can be no ad_id', {
      hint: '1 to 1,024 bytes without control characters',
    });
  }
  const to = new AllowedDestinations(redirectHosts).check(url);
  const exp = options.expires === undefined ? undefined : secondOf(options.expires);
  const fields = new Map((options.field ?? []).map(pairOf));
  const query = new LinkKeys(linkKeys ?? []).sign({ adId: ad, to, exp, fields });
  const running = runningUrl(readState(config.home), 'collect') ?? undefined;
  const base = options.base ?? running ?? `http://${host}:${String(port)}`;
  const link = `${base.replace(/\/+$/, '')}/c/${encodeURIComponent(ad)}?${query}`;
  printResult(options.json === true, { ad_id: ad, to, link }, () => link);
}

function secondOf(time: string): string {
  const ms = Date.parse(time);
  if (!/^\d{4}-\d{2}-\d{2}T/.test(time) || Number.isNaN(ms)) {
    throw new TruecountError('invalid_argument', `--expires ${time} is no RFC 3339 time`, {
      hint: 'for example --expires 2027-01-01T00:00:00Z',
    });
  }
  return String(Math.ceil(ms / 1000));
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) {
    throw new TruecountError('invalid_argument', `--field ${text}: expected NAME=VALUE`, {
      hint: 'for example --field country=US',
    });
  }
  return [text.slice(0, at), text.slice(at + 1)];
}
