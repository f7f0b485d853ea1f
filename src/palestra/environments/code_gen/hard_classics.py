"""Reference solutions of problems that need an algorithm; each doc string is the statement of its problem."""

from bisect import bisect_left
from heapq import heappop, heappush


def islands(rows: list[list[int]]) -> int:
    """`rows` is a grid of zeros (water) and ones (land). Count the islands: pieces of land that hang together to the
    left, right, top and bottom."""
    land = {(y, x) for y, row in enumerate(rows) for x, value in enumerate(row) if value}
    count = 0
    while land:
        count += 1
        waiting = [land.pop()]
        while waiting:
            y, x = waiting.pop()
            for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if place in land:
                    land.remove(place)
                    waiting.append(place)
    return count


def edit_distance(first: str, second: str) -> int:
    """Give the smallest number of steps that turn `first` into `second`. A step adds, removes or
    replaces one letter."""
    above = list(range(len(second) + 1))
    for row, letter in enumerate(first, 1):
        current = [row]
        for column, other in enumerate(second, 1):
            current.append(min(above[column] + 1, current[-1] + 1, above[column - 1] + (letter != other)))
        above = current
    return above[-1]


def longest_rise(numbers: list[int]) -> int:
    """Remove entries of `numbers`, as few as possible, so that what is left rises strictly. Give the number of entries
    that are left."""
    ends: list[int] = []
    for number in numbers:
        place = bisect_left(ends, number)
        ends[place : place + 1] = [number]
    return len(ends)


def shortest_way(towns: int, roads: list[list[int]]) -> int:
    """Towns are numbered from 0 to `towns` - 1. Each entry of `roads` holds two towns and the length of a road between
    them, which can be used both ways. Give the length of the shortest way from town 0 to the last town, or -1 if there
    is none."""
    near: list[list[tuple[int, int]]] = [[] for _ in range(towns)]
    for start, end, length in roads:
        near[start].append((end, length))
        near[end].append((start, length))
    waiting, done = [(0, 0)], set[int]()
    while waiting:
        way, town = heappop(waiting)
        if town == towns - 1:
            return way
        if town not in done:
            done.add(town)
            for neighbour, length in near[town]:
                heappush(waiting, (way + length, neighbour))
    return -1


def order_of_tasks(tasks: int, needs: list[list[int]]) -> list[int]:
    """Tasks are numbered from 0 to `tasks` - 1. Each entry of `needs` holds two tasks, of which the first must be done
    before the second. List all tasks in an order that keeps to this; whenever there is a choice, take the smallest
    number. If no order keeps to it, the list is empty."""
    waits_for = [0] * tasks
    frees: list[list[int]] = [[] for _ in range(tasks)]
    for first, second in needs:
        waits_for[second] += 1
        frees[first].append(second)
    ready = [task for task in range(tasks) if waits_for[task] == 0]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for task in frees[order[-1]]:
            waits_for[task] -= 1
            if waits_for[task] == 0:
                heappush(ready, task)
    return order if len(order) == tasks else []


def calculated(text: str) -> int:
    """Give the value of the expression `text`: whole numbers, +, -, *, and round brackets, without spaces. There is no
    sign in front of a number or a bracket, and * binds more tightly than + and -."""
    sums: list[list[int]] = [[]]
    signs: list[tuple[int, bool]] = []
    sign, times, place = 1, False, 0

    def took(value: int) -> None:
        if times:
            sums[-1][-1] *= value
        else:
            sums[-1].append(sign * value)

    while place < len(text):
        letter = text[place]
        place += 1
        if letter.isdigit():
            start = place - 1
            while place < len(text) and text[place].isdigit():
                place += 1
            took(int(text[start:place]))
        elif letter == "(":
            signs.append((sign, times))
            sums.append([])
            sign, times = 1, False
        elif letter == ")":
            value = sum(sums.pop())
            sign, times = signs.pop()
            took(value)
        else:
            times = letter == "*"
            sign = -1 if letter == "-" else 1
    return sum(sums[0])


def widest_board(heights: list[int]) -> int:
    """Boards of width 1 with the given `heights` stand side by side. Give the area of the largest rectangle that can be
    sawn out of them in one piece, with its lower edge on the ground."""
    best = 0
    waiting: list[tuple[int, int]] = []
    for place, height in enumerate([*heights, 0]):
        start = place
        while waiting and waiting[-1][1] >= height:
            start, taller = waiting.pop()
            best = max(best, taller * (place - start))
        waiting.append((start, height))
    return best


def palindromes(text: str) -> int:
    """Count the stretches of `text`, of any length from 1 on, that read the same backwards. Stretches at different
    places count each, also if they look alike."""
    found = 0
    for middle in range(2 * len(text) - 1):
        left, right = middle // 2, (middle + 1) // 2
        while left >= 0 and right < len(text) and text[left] == text[right]:
            found += 1
            left, right = left - 1, right + 1
    return found


def heaviest_load(weights: list[int], values: list[int], limit: int) -> int:
    """Thing number i has the weight `weights`[i] and the value `values`[i]. Choose things whose weights add up to
    at most `limit`, so that their values add up to as much as possible, and give that sum."""
    best = [0] * (limit + 1)
    for weight, value in zip(weights, values, strict=True):
        for room in range(limit, weight - 1, -1):
            best[room] = max(best[room], best[room - weight] + value)
    return best[limit]


def far_term(place: int, modulus: int) -> int:
    """The sequence 0, 1, 1, 3, 5, 11, ... starts with 0 and 1; each further term is the one before it plus twice the
    one before that. Give the term at `place`, counted from 0, modulo `modulus`. `place` has up to 18 digits."""
    # The term is (2**place - (-1)**place) / 3.
    return (pow(2, place, 3 * modulus) - (-1) ** (place % 2)) // 3 % modulus
