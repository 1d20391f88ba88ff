import { chmod, mkdir, mkdtemp, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { RequestInbox } from '../../dist/alerts/requests/inbox.js'
import type { CheckedRequest } from '../../dist/alerts/requests/request.js'
import { isJournalInUse, sendRequest } from '../../dist/alerts/requests/send.js'
import { ProcmusterError } from '../../dist/errors.js'
import { Journal } from '../../dist/journal/writer.js'

let directory: string
let journal: string
let taken: (CheckedRequest & { id: string })[]
let refused: string[]
let errors: string[]
let failWith: Error | undefined
let inbox: RequestInbox

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'muster-inbox-'))
  journal = join(directory, 'j.jsonl')
  await writeFile(journal, '', { mode: 0o600 })
  taken = []
  refused = []
  errors = []
  failWith = undefined
  inbox = new RequestInbox(journal, {
    carryOut: async (request, id) => {
      if (failWith !== undefined) throw failWith
      taken.push({ ...request, id })
    },
    refuse: async (id, reason) => void refused.push(`${id}: ${reason}`),
    onError: ({ message }) => errors.push(message),
  })
})
afterEach(() => rm(directory, { recursive: true }))

const ack = (alertId: string) => ({ type: 'acknowledge', alertId, by: 'me' }) as const
const put = (name: string, text: string, mode = 0o600) =>
  writeFile(join(inbox.directory, name), text, { mode })

it('takes what was sent, in order, and removes it', async () => {
  await inbox.look()
  const sent = [await sendRequest(journal, ack('a')), await sendRequest(journal, ack('b'))]
  expect(sent).toMatchObject([
    { isRunning: false, answer: undefined },
    { isRunning: false, answer: undefined },
  ])
  expect((await stat(inbox.directory)).mode & 0o777).toBe(0o700)
  expect((await stat(join(inbox.directory, `${sent[0]!.id}.json`))).mode & 0o777).toBe(0o600)
  await inbox.look()
  expect(new Set(taken.map(({ id }) => id))).toEqual(new Set(sent.map(({ id }) => id)))
  expect(taken).toMatchObject([{ type: 'acknowledge' }, { type: 'acknowledge' }])
  expect(await readdir(inbox.directory)).toEqual([])
  await inbox.look()
  expect([taken.length, refused, errors]).toEqual([2, [], []])
})

it('refuses what is malformed, or could be from somebody else, and goes on', async () => {
  await sendRequest(journal, ack('good'))
  await put('a.json', '{')
  await put('b.json', JSON.stringify({ type: 'reboot' }))
  await put('c.json', JSON.stringify({ ...ack('x'), more: 1 }))
  await put('d.json', JSON.stringify(ack('x')), 0o644)
  await put('e.json', ' '.repeat(20_000))
  await symlink('/etc/passwd', join(inbox.directory, 'f.json'))
  await mkdir(join(inbox.directory, 'g.json'))
  await put('notes.txt', '')
  await put('.h.new', JSON.stringify(ack('half')))
  await inbox.look()
  expect(refused.map((line) => line[0]).join('')).toBe('abcdefg')
  expect(taken).toMatchObject([{ alertId: 'good' }])
  expect((await readdir(inbox.directory)).sort()).toEqual(['.h.new', 'g.json.bad', 'notes.txt'])
  await inbox.look()
  expect(refused).toHaveLength(7)
  expect(errors).toEqual([])
})

it('says why a request was not carried out', async () => {
  const { id } = await sendRequest(journal, ack('a'))
  failWith = new ProcmusterError('NOT_FOUND', { message: 'no such alert' })
  await inbox.look()
  expect(refused).toEqual([`${id}: no such alert`])
  expect(await readdir(inbox.directory)).toEqual([])
})

it('keeps a request while the journal cannot be written', async () => {
  await sendRequest(journal, ack('a'))
  failWith = new ProcmusterError('IO_ERROR', { message: 'disk full' })
  await inbox.look()
  await inbox.look()
  expect(errors).toEqual(['disk full'])
  expect(refused).toEqual([])
  failWith = undefined
  await inbox.look()
  expect(taken).toMatchObject([{ alertId: 'a' }])
})

it('goes on when its directory becomes a file, a link or open to others, and when that is put right', async () => {
  await sendRequest(journal, ack('a'))
  const aside = join(directory, 'aside')
  await rename(inbox.directory, aside)
  await writeFile(inbox.directory, '')
  await inbox.look()
  await inbox.look()
  await expect(sendRequest(journal, ack('b'))).rejects.toMatchObject({ code: 'ACCESS_DENIED' })
  await rm(inbox.directory)
  await symlink(aside, inbox.directory)
  await inbox.look()
  await rm(inbox.directory)
  await rename(aside, inbox.directory)
  await chmod(inbox.directory, 0o777)
  await inbox.look()
  expect(errors).toEqual([expect.stringMatching(/must be a directory of the engine's user with mode 0700/)])
  expect(taken).toEqual([])
  await chmod(inbox.directory, 0o700)
  await inbox.look()
  expect(taken).toMatchObject([{ alertId: 'a' }])
  await chmod(inbox.directory, 0o755)
  await inbox.look()
  expect(errors).toHaveLength(2)
})

it('is looked at again and again, until it is closed', async () => {
  const often = new RequestInbox(journal, {
    carryOut: async (request, id) => void taken.push({ ...request, id }),
    refuse: async () => {},
    onError: () => {},
    lookEveryMs: 5,
  })
  often.start()
  await sendRequest(journal, ack('a'))
  await expect.poll(() => taken.length).toBe(1)
  await often.close()
  await sendRequest(journal, ack('b'))
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(taken).toHaveLength(1)
})

it('an engine that runs is known by the journal that it holds, and waited for', async () => {
  expect(await isJournalInUse(journal)).toBe(false)
  const held = await Journal.open(journal)
  expect(await isJournalInUse(journal)).toBe(true)
  expect(await sendRequest(journal, ack('a'), { waitMs: 1 })).toMatchObject({
    isRunning: true,
    answer: undefined,
  })
  const asked = sendRequest(journal, ack('b'), { waitMs: 10_000 })
  const takenByNow = async () => {
    await inbox.look()
    return taken.length
  }
  await expect.poll(takenByNow).toBe(2)
  const { id } = taken.find((request) => request.type === 'acknowledge' && request.alertId === 'b')!
  await held.commit({ type: 'request-refused', request: id, reason: 'why not' })
  expect((await asked).answer).toMatchObject({ type: 'request-refused', reason: 'why not', request: id })
  await held.close()
})

it.each<[string, object]>([
  ['of no type', {}],
  ['of an empty silence', { type: 'silence', match: {}, untilMs: 1, by: 'me' }],
  ['of nobody', { type: 'unsilence', silenceId: 'a', by: '' }],
])('a request %s is not sent', async (_, request) => {
  await expect(sendRequest(journal, request as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  await expect(stat(inbox.directory)).rejects.toThrow('ENOENT')
})

it('a journal that is not there is asked for nothing', async () => {
  await expect(sendRequest(join(directory, 'none'), ack('a'))).rejects.toMatchObject({ code: 'NOT_FOUND' })
})
