import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];

/** The browser of this machine, if it has one. */
export const CHROMIUM = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  .find(isProgram);

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Opens a page in a browser of its own, with an empty profile; gone when `use` has ended. */
export async function browsing(url: string, use: () => Promise<void>): Promise<void> {
  const profile = await mkdtemp(join(tmpdir(), 'truecount-chromium-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run'];
  const args = [...flags, '--disable-dev-shm-usage', `--user-data-dir=${profile}`, url];
  // A group of its own: the processes of the browser end together.
  const child = spawn(CHROMIUM!, args, { stdio: 'ignore', detached: true });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    await use();
  } finally {
    process.kill(-child.pid!, 'SIGKILL');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }
}

/** A web site of one test: its pages by path, and what was asked of it. */
export interface Site {
  readonly host: string;
  readonly asked: string[];
  /** Paths and what is there; everything else is an empty page. */
  readonly pages: Map<string, string>;
  close(): void;
}

export async function startSite(): Promise<Site> {
  const [asked, pages] = [[] as string[], new Map<string, string>()];
  const server = createServer(({ url = '' }, response) => {
    asked.push(url);
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>test</title>${pages.get(url) ?? ''}`);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `localhost:${String((server.address() as AddressInfo).port)}`;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { host, asked, pages, close };
}
