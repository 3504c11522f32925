from genre_assets.tasks.fingerprint import Fingerprint, fingerprint
from genre_assets.tasks.members import build_task
from genre_assets_tests.models.corpus import a_task, echonest_of, labels_of, tables


def test_the_fingerprint_follows_the_members_and_not_their_order():
    members = build_task(a_task(), *tables(labels_of({"Folk": 10, "Rock": 10}))).members
    other = build_task(a_task(), *tables(labels_of({"Folk": 10, "Rock": 11}))).members
    reverse = members.take(list(range(members.num_rows))[::-1])
    features = echonest_of(members)
    same = fingerprint(reverse, features.take(list(range(features.num_rows))[::-1]))
    assert fingerprint(members, features) == same != fingerprint(other, features)


def test_the_fingerprint_is_the_same_when_columns_come_a_few_at_a_time():
    members = build_task(a_task(), *tables(labels_of({"Folk": 10, "Rock": 10}))).members
    features = echonest_of(members).take(list(range(members.num_rows))[::-1])
    mark = Fingerprint(members)
    mark.begin(features["track_id"])
    for start in range(0, features.num_columns, 3):
        mark.add(features.select(features.column_names[start : start + 3]))
    assert mark.hexdigest() == fingerprint(members, features)
