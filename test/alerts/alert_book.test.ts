import { describe, expect, it } from 'vitest'
import type { Alert } from '../../dist/alerts/alert.js'
import { AlertBook } from '../../dist/alerts/alert_book.js'
import { alert, group, identity } from './alert.js'

const ids = (alerts: Alert[]) => alerts.map(({ id }) => id)

describe('alert book', () => {
  it('lists newest first, by severity and number, from a bounded ring', () => {
    const book = new AlertBook(3)
    for (let pid = 1; pid <= 5; pid++) {
      const severity = pid % 2 === 0 ? 'critical' : 'info'
      book.add(alert(`a${pid}`, { identity: identity(pid), severity }))
    }
    expect(ids(book.list())).toEqual(['a5', 'a4', 'a3'])
    expect(ids(book.list({ limit: 1 }))).toEqual(['a5'])
    expect(ids(book.list({ severity: 'info' }))).toEqual(['a5', 'a3'])
    expect(book.list({ limit: 0 })).toEqual([])
  })

  it('resolves in place, also what the ring has forgotten', () => {
    const book = new AlertBook(2)
    for (let pid = 1; pid <= 3; pid++) book.add(alert(`a${pid}`, { identity: identity(pid) }))
    expect(book.resolve('r', 'breach', { identity: identity(1) }, 9)).toMatchObject({
      id: 'a1',
      state: 'resolved',
    })
    expect(book.resolve('r', 'breach', { identity: identity(3) }, 9)).toMatchObject({
      id: 'a3',
      resolvedAtMs: 9,
    })
    expect(book.list().map(({ state }) => state)).toEqual(['resolved', 'firing'])
    expect(book.resolve('r', 'breach', { identity: identity(3) }, 10)).toBeUndefined()
    expect(book.resolve('r', 'breach', { identity: identity(2, 2) }, 10)).toBeUndefined()
  })

  it('keeps one alert per rule, kind and process while it fires', () => {
    const book = new AlertBook(10)
    book.add(alert('a'))
    book.add(alert('a', { repeats: 1 }))
    expect(book.list().map(({ repeats }) => repeats)).toEqual([1])
    book.add(alert('b', { kind: 'died' }))
    expect(book.resolveGone(1, 2, 5)).toEqual([])
    expect(ids(book.resolveGone(1, 1, 5))).toEqual(['a'])
    expect(book.firing('r', 'died', { identity: identity(1) })?.id).toBe('b')
    expect(book.anyFiring).toBe(true)
  })

  it('resolves with a process that it was not to be restarted; that nothing runs in its place stays', () => {
    const book = new AlertBook(10)
    book.add(alert('refused', { kind: 'restart-failed', severity: 'warning' }))
    book.add(alert('failed', { kind: 'restart-failed', severity: 'critical', rule: 'q' }))
    expect(ids(book.resolveGone(1, 1, 5))).toEqual(['refused'])
    expect(ids(book.allFiring)).toEqual(['failed'])
  })

  it('forgets the oldest of what nothing resolves, never a breach', () => {
    const book = new AlertBook(10)
    book.add(alert('breach'))
    for (let pid = 1; pid <= 10_002; pid++)
      book.add(alert(`d${pid}`, { kind: 'died', identity: identity(pid) }))
    expect(book.allFiring.length).toBe(10_001)
    expect(book.firingById('d2')).toBeUndefined()
    expect(book.firing('r', 'died', { identity: identity(2) })).toBeUndefined()
    expect(book.firingById('d3')).toBeDefined()
    expect(book.firingById('breach')).toBeDefined()
  })

  it('tells processes, groups and the rules about them apart', () => {
    const book = new AlertBook(10)
    const members = [{ identity: identity(7), name: 'n', value: 1 }]
    book.add(alert('process'))
    book.add(alert('unit', { identity: undefined, group: group('unit', 'a.service', members) }))
    book.add(alert('program', { identity: undefined, group: group('program', 'a.service') }))
    book.add(alert('other rule', { rule: 'q' }))
    expect(book.firing('r', 'breach', { group: group('unit', 'a.service') })?.id).toBe('unit')
    expect(book.firing('r', 'breach', { group: group('unit', 'b.service') })).toBeUndefined()
    expect(book.firing('q', 'breach', { identity: identity(1) })?.id).toBe('other rule')
    expect(book.firingById('program')?.group?.kind).toBe('program')
    expect(ids(book.list({ pid: 1 }))).toEqual(['other rule', 'process'])
    expect(ids(book.list({ pid: 7 }))).toEqual(['unit'])
    expect(ids(book.list({ rule: 'q', severity: 'warning' }))).toEqual(['other rule'])
    expect(ids(book.resolveGone(1, 1, 5))).toEqual(['process', 'other rule'])
    expect(ids(book.list({ state: 'resolved' }))).toEqual(['other rule', 'process'])
    expect(ids(book.allFiring)).toEqual(['unit', 'program'])
    expect(book.firingById('process')).toBeUndefined()
  })
})
