"""Signing in at an identity provider, in a real browser: a code with PKCE, and tokens that are renewed."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.conftest import Open, Serve
from tests.dashboard.provider import Provider

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def provider() -> Iterator[Provider]:
    found = Provider()
    yield found
    found.stop()


def sign_in(page: Page) -> None:
    page.get_by_role("button", name="Sign in at 127.0.0.1").click()


def test_whoever_signs_in_at_the_provider_comes_back_to_the_same_bed(
    serve: Serve, screen: Open, provider: Provider
) -> None:
    server = serve("08:23", "bed-8", provider=provider)
    page = screen(server, "#/bed/bed-8")
    sign_in(page)
    expect(page.locator(".bed-title")).to_have_text("bed-8")
    expect(page.locator(".link-state")).to_have_text("live")
    assert page.url == f"{server.url}#/bed/bed-8"
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".card").first).to_have_attribute("data-state", "acknowledged")
    assert [answer.actor for answer in server.answers("bed-8")] == ["nurse-7"]
    assert provider.granted == ["authorization_code"]


def test_a_token_that_runs_out_is_renewed_without_a_word(serve: Serve, screen: Open, provider: Provider) -> None:
    page = screen(serve("08:23", "bed-8", provider=provider))
    sign_in(page)
    expect(page.locator(".tile")).to_have_count(1)
    page.evaluate("sessionStorage.setItem('rescue-monitor.token', 'run out')")
    page.locator(".tile").click()
    expect(page.locator(".parts").first).to_be_visible()
    assert provider.granted == ["authorization_code", "refresh_token"]
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_whoever_is_not_let_in_is_told_so(serve: Serve, screen: Open, provider: Provider) -> None:
    provider.refuses = True
    page = screen(serve("08:23", "bed-8", provider=provider))
    sign_in(page)
    expect(page.get_by_role("dialog")).to_contain_text("Not signed in: access_denied.")
    expect(page.locator(".tile")).to_have_count(0)


def test_the_page_may_ask_the_provider_and_nobody_else(serve: Serve, screen: Open, provider: Provider) -> None:
    page = screen(serve("08:23", "bed-8", provider=provider))
    response = page.request.get(page.url)
    (allowed,) = [part for part in response.headers["content-security-policy"].split("; ") if "connect-src" in part]
    assert allowed == f"connect-src 'self' {provider.address}"
