import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { LinkKeys } from '../../collect/links.js';
import type { RunningCollector } from '../../collect/service.js';
import { packageFile } from '../../runtime/package-root.js';
import { createTopic } from '../support/faults/servers.js';
import { OwnBroker } from '../support/own-broker.js';
import { skipUnless } from '../support/skip-unless.js';
import { readTopic } from '../support/stream.js';
import { until } from '../support/until.js';
import { browsing, CHROMIUM, startSite, type Site } from './support/chromium.js';
import { collecting, metric, SECRET } from './support/collecting.js';

const itInBrowser = skipUnless(CHROMIUM !== undefined, 'there is no Chromium on the PATH');
const UNCOUNTED = 'truecount_collect_clicks_total{fate="uncounted"}';

let broker: OwnBroker;
let site: Site;
let collector: RunningCollector;
let topic: string;

beforeAll(async () => {
  if (CHROMIUM === undefined) return;
  broker = await OwnBroker.start();
  site = await startSite();
  topic = await createTopic([broker.address], 1);
  collector = await collecting([broker.address], topic, {
    ackTimeoutMs: 1_000,
    redirectHosts: [site.host],
    linkKeys: [SECRET],
    corsOrigins: [`http://${site.host}`],
  });
});
afterAll(async () => {
  if (CHROMIUM === undefined) return;
  await collector.close();
  site.close();
  await broker.close();
});
beforeEach(() => {
  if (CHROMIUM === undefined) return;
  site.asked.length = 0;
  site.pages.clear();
});

function linkTo(path: string, adId: string): string {
  const to = `http://${site.host}${path}`;
  return `${collector.url}/c/${adId}?${new LinkKeys([SECRET]).sign({ adId, to, fields: new Map() })}`;
}

/** The clicks of an ad that are on the topic. */
async function clicksOf(ad: string): Promise<string[]> {
  const records = await readTopic([broker.address], topic);
  const clicks = records.map(
    ({ value }) => JSON.parse(String(value)) as { ad_id: string; event_id: string },
  );
  return clicks.filter(({ ad_id }) => ad_id === ad).map(({ event_id }) => event_id);
}

/** Resolves when the site was asked for a path. */
function untilAsked(path: string): Promise<unknown> {
  return until(`the browser asks for ${path}`, () => site.asked.includes(path));
}

/** The blocks of a document that are HTML. */
function snippets(document: string): string[] {
  const text = readFileSync(packageFile('docs', 'how-to', document), 'utf8');
  return [...text.matchAll(/```html\n([^]*?)```/g)].map(([, html]) => html!);
}

describe('a browser', () => {
  itInBrowser(
    'that follows a link while Kafka is away is led on when it is back, once',
    async () => {
      process.kill(broker.pid, 'SIGSTOP');
      try {
        await browsing(linkTo('/landed', 'patient'), async () => {
          const late = 'truecount_collect_clicks_total{fate="unacknowledged"}';
          const refused = 'truecount_collect_clicks_total{fate="refused"}';
          await until('its click is not acknowledged', () => metric(collector.url, late));
          await until('it tries again by itself', () => metric(collector.url, refused));
          expect(site.asked).toEqual([]);
          process.kill(broker.pid, 'SIGCONT');
          await untilAsked('/landed');
        });
      } finally {
        process.kill(broker.pid, 'SIGCONT');
      }
      expect(site.asked.filter((path) => path === '/landed')).toHaveLength(1);
      expect(new Set(await clicksOf('patient')).size).toBe(1);
    },
  );

  itInBrowser('that has prefetched a link counts once, at the click', async () => {
    const link = linkTo('/landed', 'prefetched');
    const rules = { prefetch: [{ source: 'list', urls: [link], eagerness: 'immediate' }] };
    const before = await metric(collector.url, UNCOUNTED);
    site.pages.set('/page', prefetching(JSON.stringify(rules), link));
    await browsing(`http://${site.host}/page`, async () => {
      await until(
        'it has asked ahead',
        async () => (await metric(collector.url, UNCOUNTED)) > before,
      );
      expect(await clicksOf('prefetched')).toEqual([]);
      site.pages.set('/now', 'go');
      await untilAsked('/landed');
    });
    expect(await clicksOf('prefetched')).toHaveLength(1);
  });

  itInBrowser('that runs the script of the guide is counted', async () => {
    const script = snippets('collect-over-http.md').find((html) => html.includes('sendBeacon'));
    const here = script!.replaceAll('https://clicks.example.com', collector.url);
    expect(here).not.toBe(script);
    const link = '<a id=ad data-ad="beacon" href="/landed">ad</a>';
    site.pages.set('/page', `${link}${here}<script>document.getElementById("ad").click()</script>`);
    await browsing(`http://${site.host}/page`, async () => {
      await untilAsked('/landed');
      await until('its click is on the log', async () => (await clicksOf('beacon')).length > 0);
    });
    expect(await clicksOf('beacon')).toHaveLength(1);
  });

  itInBrowser('that shows a page which was rendered ahead counts its pixel by script', async () => {
    const script = snippets('collect-over-http.md').find((html) => html.includes('prerendering'));
    const here = script!.replaceAll(
      'https://clicks.example.com/p/ad-1',
      `${collector.url}/p/ahead`,
    );
    expect(here).not.toBe(script);
    site.pages.set('/shown', `${here}<script>fetch("/loaded")</script>`);
    const rules = '{"prerender":[{"source":"list","urls":["/shown"],"eagerness":"immediate"}]}';
    site.pages.set('/page', prefetching(rules, '/shown'));
    await browsing(`http://${site.host}/page`, async () => {
      await untilAsked('/loaded');
      expect(await clicksOf('ahead')).toEqual([]);
      site.pages.set('/now', 'go');
      await until('its pixel is counted', async () => (await clicksOf('ahead')).length > 0);
    });
    expect(site.asked.filter((path) => path === '/shown')).toHaveLength(1);
    expect(await clicksOf('ahead')).toHaveLength(1);
  });
});

/** A page by whose rules the browser asks ahead, and whose link is clicked when `/now` says go. */
function prefetching(rules: string, link: string): string {
  const script = `
    const look = setInterval(async () => {
      if (!(await (await fetch('/now')).text()).includes('go')) return;
      clearInterval(look);
      document.getElementById('ad').click();
    }, 50);`;
  const href = link.replaceAll('&', '&amp;');
  return `<script type="speculationrules">${rules}</script><a id=ad href="${href}">ad</a>
    <script>${script}</script>`;
}
