"""Every adapter of the product walks the simulator to exactly the creators that its catalogue tells."""

import pytest

from platforms.contract import Query, SearchKind
from platforms.outcome import Outcome
from platforms.simulator import truth
from platforms.simulator.catalogue import creators_of
from platforms.simulator.graph_shapes import is_professional
from platforms.simulator.people import creator, creator_of_handle
from platforms.simulator.serving import Simulator
from platforms.simulator.settings import Settings
from platforms.simulator.walks import author_at
from tests.integration.simulated import adapter_of, ids_of, providers_at, walked

ITEMS = 90
SEED = 1


@pytest.fixture(scope="module")
def simulator():
    with Simulator(Settings(seed=SEED, items_per_query=ITEMS, run_seconds=0.05)) as running:
        yield running


def words(platform, *keywords, **more):
    return Query(platform, SearchKind.KEYWORD, keywords, **more)


def like(platform, handle):
    return Query(platform, SearchKind.SIMILAR, target_username=handle)


def somebody(fits):
    """The first creator of a walk whom a test can use."""
    return next(one for one in (author_at(SEED, "target", at) for at in range(500)) if fits(one))


async def found(simulator, platform, kind, provider, query):
    async with providers_at(simulator.url) as providers:
        return await walked(providers, adapter_of(platform, kind, provider), query)


@pytest.mark.parametrize(
    ("provider", "query", "expected"),
    [
        ("scrapecreators", words("tiktok", "Tea"), lambda: creators_of(SEED, "Tea", ITEMS)),
        ("scrapecreators", words("tiktok", "#tea"), lambda: truth.tiktok_hashtag_creators(SEED, "tea", ITEMS)),
        ("scrapecreators", words("instagram", "tea"), lambda: truth.instagram_reel_owners(SEED, "tea", ITEMS)),
        ("scrapecreators", words("instagram", "#tea"), lambda: truth.instagram_hashtag_owners(SEED, "tea", ITEMS)),
        (
            "scrapecreators",
            words("instagram", "tea", word_kind="profiles"),
            lambda: truth.instagram_found_profiles(SEED, "tea", ITEMS),
        ),
        ("scrapecreators", words("youtube", "tea"), lambda: truth.youtube_search_channels(SEED, "tea", ITEMS)),
        ("youtube_data_api", words("youtube", "tea"), lambda: truth.youtube_data_api_channels(SEED, "tea", ITEMS)),
    ],
    ids=["tiktok words", "tiktok hashtag", "reels", "instagram hashtag", "instagram profiles", "youtube", "data api"],
)
async def test_a_walk_by_words_finds_exactly_the_creators_of_the_catalogue(simulator, provider, query, expected):
    items = await found(simulator, query.platform, query.kind, provider, query)
    assert ids_of(items) == set(expected())
    assert len(expected()) > 60


@pytest.mark.parametrize("word", ["tea", "#tea"])
async def test_video_queries_through_a_year_find_exactly_the_handles_of_the_catalogue(simulator, word):
    items = await found(simulator, "tiktok", SearchKind.KEYWORD, "tiktok_research", words("tiktok", word))
    assert {item.handle for item in items} == set(truth.tiktok_research_handles(SEED, word, ITEMS))


async def test_a_hashtag_of_the_graph_gives_all_its_posts_though_after_stays_the_same(simulator):
    items = await found(simulator, "instagram", SearchKind.KEYWORD, "instagram_graph", words("instagram", "tea"))
    assert {item.content_id for item in items} == set(truth.instagram_graph_posts(SEED, "tea", ITEMS))
    recent = simulator.calls("/instagram_graph/v23.0/178437628129/recent_media")
    assert [call["params"].get("after") for call in recent] == [None, "QVFIUmXyTheSame"]


@pytest.mark.parametrize("provider", ["scrapecreators", "apify"])
@pytest.mark.parametrize("related", [80, 21])
async def test_related_profiles_are_those_of_the_catalogue(simulator, provider, related):
    target = somebody(lambda one: len(truth.instagram_related(SEED, one.handle)) == related)
    items = await found(simulator, "instagram", SearchKind.SIMILAR, provider, like("instagram", target.handle))
    public = {
        truth.instagram_id(number)
        for number in truth.related_numbers(SEED, target)
        if creator(SEED, number).standing != "private"
    }
    assert public <= ids_of(items) <= set(truth.instagram_related(SEED, target.handle))


async def test_accounts_like_one_on_tiktok_come_from_its_words_and_its_followings(simulator):
    # Given a target who says something and follows many
    target = somebody(
        lambda one: one.bio and not one.private_flag and len(truth.tiktok_followings(SEED, one.handle)) > 45
    )
    # When accounts like theirs are looked for
    items = await found(simulator, "tiktok", SearchKind.SIMILAR, "scrapecreators", like("tiktok", target.handle))
    # Then all they follow, but private ones, are found, and all that their words find
    asked = {call["params"]["query"] for call in simulator.calls("/v1/tiktok/search/users")}
    all_told = set(truth.tiktok_followings(SEED, target.handle)).union(
        *(truth.tiktok_found_users(SEED, word, ITEMS) for word in asked)
    )
    public = {uid for uid in all_told if creator(SEED, int(uid) - 6_900_000_000_000_000_000).standing != "private"}
    assert asked
    assert ids_of(items) == public - {target.uid}
    simulator.clear_calls()


@pytest.mark.parametrize("provider", ["scrapecreators", "youtube_data_api"])
async def test_channels_like_one_come_from_searches_by_its_topics(simulator, provider):
    target = somebody(lambda one: one.standing == "found")
    simulator.clear_calls()
    items = await found(simulator, "youtube", SearchKind.SIMILAR, provider, like("youtube", target.handle))
    path, name = {
        "scrapecreators": ("/v1/youtube/search", "query"),
        "youtube_data_api": ("/youtube_data_api/youtube/v3/search", "q"),
    }[provider]
    told = truth.youtube_search_channels if provider == "scrapecreators" else truth.youtube_data_api_channels
    asked = {call["params"][name] for call in simulator.calls(path)}
    assert asked
    assert ids_of(items) <= set().union(*(told(SEED, word, ITEMS) for word in asked))
    assert len(ids_of(items)) > 20


async def test_profiles_fill_what_searches_lack_and_are_those_of_the_catalogue(simulator):
    """Look-ups by every provider that has one: the handle leads to the same person."""
    cases = [
        ("tiktok", "scrapecreators", words("tiktok", "tea")),
        ("youtube", "scrapecreators", words("youtube", "tea")),
        ("youtube", "youtube_data_api", words("youtube", "tea")),
        ("tiktok", "tiktok_research", words("tiktok", "tea")),
        ("instagram", "scrapecreators", words("instagram", "tea")),
    ]
    async with providers_at(simulator.url) as providers:
        for platform, provider, query in cases:
            adapter = adapter_of(platform, SearchKind.KEYWORD, provider)
            items = (await walked(providers, adapter, query))[:30]
            assert adapter.profiles is not None
            outcomes = []
            wanted = [item for item in items if adapter.profiles.wanted(item)]
            for at in range(0, len(wanted), adapter.profiles.most):
                batch = wanted[at : at + adapter.profiles.most]
                response = await providers.of(provider).fetch(adapter.profiles.request(batch))
                outcomes.append(adapter.profiles.judge(response).outcome)
                if outcomes[-1] is not Outcome.OK:
                    continue
                profiles, _ = adapter.profiles.parse(response, batch)
                for item in batch:
                    person = creator_of_handle(SEED, item.handle or getattr(profiles.get(item.key), "handle", ""))
                    if item.key in profiles and person:
                        assert profiles[item.key].bio.strip() in ("", person.bio.strip())
            assert outcomes.count(Outcome.OK) >= len(outcomes) * 0.8, (platform, provider, outcomes)


async def test_a_name_is_looked_up_by_the_graph_where_the_account_is_professional(simulator):
    adapter = adapter_of("instagram", SearchKind.KEYWORD, "instagram_graph")
    async with providers_at(simulator.url) as providers:
        for professional in (True, False):
            person = somebody(lambda one, wanted=professional: is_professional(one) is wanted)
            item = (
                await walked(
                    providers, adapter_of("tiktok", SearchKind.KEYWORD, "scrapecreators"), words("tiktok", "x")
                )
            )[0]
            named = type(item)(item.creator_id, item.content_id, person.handle, item.raw)
            response = await providers.of("instagram_graph").fetch(adapter.profiles.request([named]))
            if professional:
                assert adapter.profiles.parse(response, [named])[0][named.key].followers == person.followers
            else:
                assert response.status == 400
                assert b"2207013" in response.body
